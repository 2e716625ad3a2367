/** @file Shows a stream of somebody else. */

import { receivedLevel } from './audio-levels.js'
import { wantedHeight } from './encodings.js'
import { answering, asOpenTokError, fail } from './errors.js'
import { later } from './events.js'
import { noWay } from './media.js'
import { MediaView } from './media-view.js'
import { isBlocked, play, stopPlaying } from './playback.js'
import { mergedReport, subscriberStats } from './stats.js'

/** @import { Media } from './media.js' */
/** @import { Wanted } from './messages.js' */
/** @import { Stream } from './stream.js' */
/** @import { Subscription } from './subscription.js' */

/** A window being dragged must not send a request for each pixel. */
const SIZE_DEBOUNCE_MS = 300

/**
 * What the session gives a subscriber.
 *
 * @typedef {object} Place
 * @property {any} session
 * @property {Media} media
 * @property {any} target
 * @property {Record<string, any>} properties
 * @property {any} callback
 */

export class Subscriber extends MediaView {
  /** @type {any} */
  session
  /** @type {Stream | null} */
  stream

  #media
  #properties
  /** @type {Subscription | null} */
  #subscription = null
  #connected = false
  #destroyed = false
  #loaded = false

  #audio
  #video
  /** 0 to 100 */
  #volume
  /** @type {{ width: number, height: number } | null} null: as the element's size says */
  #resolution
  #frameRate
  #height = -1

  #sizeTimer = /** @type {any} */ (null)
  /** @type {ResizeObserver | null} */
  #sizes = null
  #dimensions = { width: 0, height: 0 }

  /**
   * @param {Stream} stream
   * @param {Place} place
   */
  constructor(stream, { session, media, target, properties, callback }) {
    const named = { name: stream.name, ...properties }
    super(target, 'subscriber', named, () => this.subscribeToAudio(!this.#audio))
    this.session = session
    this.stream = stream
    this.#media = media
    this.#properties = properties
    this.#audio = properties.subscribeToAudio !== false
    this.#video = properties.subscribeToVideo !== false
    this.#volume = clampVolume(properties.audioVolume ?? 100)
    this.#resolution = sizeOf(properties.preferredResolution)
    this.#frameRate = Number(properties.preferredFrameRate) || 0

    this.widget.setFit(this.#fit)
    this.widget.setLoading(true)
    this.widget.setMuted(!this.#audio)
    this.#showVideoState()
    this.#watchVideo()

    this.#start().then(
      () => callback && later(() => callback(undefined, this)),
      (error) => {
        if (this.#destroyed) {
          callback?.(asOpenTokError(error))
          return
        }
        fail(asOpenTokError(error, 1501, 'OT_STREAM_CREATE_FAILED'), callback, this)
        this.end('failed')
      },
    )
    later(() => this.emit('videoElementCreated', { element: this.widget.video }))
  }

  get streamId() {
    return this.stream?.streamId
  }

  async #start() {
    const stream = /** @type {Stream} */ (this.stream)
    const asked = this.#wanted()
    const { streamId, connection } = stream
    const wish = { streamId, publisher: connection.connectionId }
    const subscription = await this.#media.subscribe(wish, asked, (state) =>
      this.#mediaStateChanged(state),
    )
    if (this.#destroyed) {
      subscription.close()
      throw gone()
    }
    this.#subscription = subscription
    const tracks = subscription.media
    const video = this.widget.video
    video.volume = this.#volume / 100
    const show = () => {
      video.srcObject = tracks
      play(video, {
        blocked: () => this.emit('audioBlocked'),
        unblocked: () => this.emit('audioUnblocked'),
      })
    }
    show()
    // An element that has shown something goes on with other tracks; in Firefox one that has not does not begin.
    subscription.onExchange = () => {
      if (!this.#loaded && !this.#destroyed) show()
    }
    this.emit('mediaStreamAvailable', { mediaStream: tracks })
    this.startMeter()
    const wanted = this.#wanted()
    if (JSON.stringify(wanted) !== JSON.stringify(asked)) subscription.update(wanted)

    const connected = await subscription.connected()
    if (this.#destroyed) throw gone()
    if (!connected) throw noWay(1554)
    this.#becomeConnected()
  }

  #becomeConnected() {
    if (this.#connected) return
    this.#connected = true
    if (!this.#showsVideo) this.widget.setLoading(false)
    this.emit('connected')
  }

  /** @param {boolean} on @returns {this} */
  subscribeToAudio(on) {
    this.#audio = !!on
    this.widget.setMuted(!this.#audio)
    this.#update({ audio: this.#audio })
    return this
  }

  /** @param {boolean} on @returns {this} */
  subscribeToVideo(on) {
    const before = this.#showsVideo
    this.#video = !!on
    this.#update({ video: this.#video })
    this.#videoChanged(before, 'subscribeToVideo')
    return this
  }

  /** @param {number} volume 0 to 100 @returns {this} */
  setAudioVolume(volume) {
    this.#volume = clampVolume(volume)
    this.widget.video.volume = this.#volume / 100
    return this
  }

  getAudioVolume() {
    return this.#volume
  }

  /** @param {{ width: number, height: number } | 'auto' | null} resolution 'auto': by the element's size @returns {this} */
  setPreferredResolution(resolution) {
    this.#resolution = sizeOf(resolution)
    this.#sendHeight()
    return this
  }

  /** @param {number | null} frameRate per second at most; null: as many as come @returns {this} */
  setPreferredFrameRate(frameRate) {
    this.#frameRate = Math.min(Math.max(Number(frameRate) || 0, 0), 255)
    this.#update({ frameRate: this.#frameRate })
    return this
  }

  /** @param {boolean} restrict to one frame per second, or as few as can be @returns {this} */
  restrictFrameRate(restrict) {
    return this.setPreferredFrameRate(restrict ? 1 : null)
  }

  isAudioBlocked() {
    return isBlocked(this.widget.video)
  }

  /** @param {(error: any, stats?: any) => void} [callback] */
  getStats(callback) {
    return answering(this.getRtcStatsReport().then(subscriberStats), callback)
  }

  /** @returns {Promise<RTCStatsReport>} */
  async getRtcStatsReport() {
    if (!this.#subscription) throw gone()
    return mergedReport([this.#subscription.audio, this.#subscription.video])
  }

  /** For the session only: the publisher changed the stream. @param {boolean} hadVideo */
  streamChanged(hadVideo) {
    this.#videoChanged(hadVideo && this.#video, 'publishVideo')
  }

  /** @param {RTCPeerConnectionState} state */
  #mediaStateChanged(state) {
    if (state === 'connected') {
      if (this.#subscription) this.#becomeConnected()
    } else if (this.#connected && ['disconnected', 'failed'].includes(state)) {
      this.#connected = false
      this.emit('disconnected')
    }
  }

  /**
   * For the session only: ends the subscription and removes the element.
   *
   * @param {string} reason
   */
  end(reason) {
    if (this.#destroyed) return
    this.detach()
    this.widget.destroy()
    later(() => this.emit('destroyed', { reason }))
    this.session = null
    this.stream = null
  }

  /** For the session only: ends the subscription and leaves the element to the page. */
  detach() {
    this.#destroyed = true
    this.stopMeter()
    this.#sizes?.disconnect()
    clearTimeout(this.#sizeTimer)
    stopPlaying(this.widget.video)
    this.widget.video.srcObject = null // the slot's next stream is not for this element
    this.#subscription?.close()
  }

  /** Whether there should be a picture. */
  get #showsVideo() {
    return this.#video && !!this.stream?.hasVideo
  }

  /** @returns {'cover' | 'contain'} */
  get #fit() {
    const { fitMode } = this.#properties
    if (fitMode === 'cover' || fitMode === 'contain') return fitMode
    return this.stream?.videoType === 'screen' ? 'contain' : 'cover'
  }

  /**
   * @param {boolean} before whether there was a picture
   * @param {string} reason
   */
  #videoChanged(before, reason) {
    if (this.#destroyed || before === this.#showsVideo) return
    this.#showVideoState()
    const type = this.#showsVideo ? 'videoEnabled' : 'videoDisabled'
    later(() => this.emit(type, { reason }))
  }

  #showVideoState() {
    this.widget.setAudioOnly(!this.#showsVideo)
    this.widget.setLoading(!this.#loaded && (this.#showsVideo || !this.#connected))
    this.startMeter()
  }

  #watchVideo() {
    const { video } = this.widget
    video.addEventListener('loadeddata', () => {
      this.#loaded = true
      this.widget.setLoading(false)
    })
    video.addEventListener('resize', () => {
      const oldValue = this.#dimensions
      const newValue = { width: video.videoWidth, height: video.videoHeight }
      this.#dimensions = newValue
      this.#sendHeight()
      if (oldValue.width > 0) this.emit('videoDimensionsChanged', { oldValue, newValue })
    })
    this.#sizes = new ResizeObserver(() => {
      clearTimeout(this.#sizeTimer)
      this.#sizeTimer = setTimeout(() => this.#sendHeight(), SIZE_DEBOUNCE_MS)
    })
    this.#sizes.observe(video)
  }

  #wantedHeight() {
    if (this.#resolution) return Math.max(Math.round(this.#resolution.height), 1)
    const { video } = this.widget
    if (!video.isConnected) return 0 // the page has not shown it yet
    const ratio = globalThis.devicePixelRatio || 1
    return wantedHeight(
      { width: video.clientWidth * ratio, height: video.clientHeight * ratio },
      this.stream?.videoDimensions ?? this.#dimensions,
      this.#fit,
    )
  }

  /** Everything that is wanted now. @returns {Wanted} */
  #wanted() {
    this.#height = this.#wantedHeight()
    return {
      audio: this.#audio,
      video: this.#video,
      height: this.#height,
      frameRate: this.#frameRate,
    }
  }

  #sendHeight() {
    const height = this.#wantedHeight()
    if (!this.#subscription || height === this.#height) return
    this.#height = height
    this.#update({ height })
  }

  /** @param {Wanted} wanted */
  #update(wanted) {
    this.#subscription?.update(wanted)
  }

  ear() {
    if (!this.#subscription || this.#destroyed) return null
    return {
      read: () => {
        const receiver = this.#subscription?.audio
        return receiver && this.#audio ? receivedLevel(receiver) : 0
      },
    }
  }
}

function gone() {
  return asOpenTokError(
    { message: 'The subscriber was destroyed before it was connected.' },
    1501,
    'OT_STREAM_DESTROYED',
  )
}

/** @param {any} volume */
function clampVolume(volume) {
  return Math.min(Math.max(Number(volume) || 0, 0), 100)
}

/** @param {any} resolution @returns {{ width: number, height: number } | null} */
function sizeOf(resolution) {
  return Number(resolution?.height) > 0 ? resolution : null
}
