/**
 * @file The near half of a publisher: the camera, the microphone or the screen, opened, shown, turned on and off,
 * exchanged. What is sent of it is the far half's, in `publisher.js`.
 */

import { listen } from './audio-levels.js'
import { isScreen } from './capture.js'
import { fail, OpenTokError } from './errors.js'
import { later, OTEvent } from './events.js'
import { MediaView } from './media-view.js'
import { openTogether, Source } from './source.js'

/** @import { StreamUpdate } from './messages.js' */

/** A browser that asks the person shows its question within this time. */
const QUESTION_MS = 400

/** What is not for pages is marked "for the publisher". */
export class LocalMedia extends MediaView {
  /** @type {boolean | undefined} undefined: not known yet */
  accessAllowed

  /** For the publisher: where the media come from. */
  sources
  /** For the publisher: what the page wants. */
  wants
  /** For the publisher: whether video is on, as far as the camera has followed. */
  isVideoOn = false
  /** For the publisher: there will be no more media. */
  isDestroyed = false
  /** For the publisher: settles when the devices are open. @type {Promise<void>} */
  ready

  #properties
  /** One change of the devices at a time. @type {Promise<unknown>} */
  #work = Promise.resolve()

  /**
   * @param {any} target
   * @param {Record<string, any>} properties
   * @param {any} callback
   */
  constructor(target, properties, callback) {
    super(target, 'publisher', properties, () => this.publishAudio(!this.wants.audio))
    this.#properties = properties
    this.wants = {
      audio: properties.publishAudio !== false,
      video: properties.publishVideo !== false,
    }
    const ended = (/** @type {MediaStreamTrack} */ track) => this.#trackEnded(track)
    this.sources = {
      audio: new Source('audio', properties, ended),
      video: new Source('video', properties, ended),
    }
    this.widget.setFit(properties.fitMode ?? (this.sources.video.isScreen ? 'contain' : 'cover'))
    this.widget.setMuted(!this.wants.audio)
    this.widget.setLoading(true)
    later(() => this.emit('videoElementCreated', { element: this.widget.video }))

    this.ready = this.#open()
    this.ready.then(
      () => callback && later(() => callback(undefined, this)),
      // Whoever destroyed it need not hear that it was destroyed.
      (error) => (this.isDestroyed ? callback?.(error) : fail(error, callback, this)),
    )
  }

  async #open() {
    // Outside the caller's stack, so that the page can listen first.
    await null
    let asked = false
    const question = setTimeout(() => {
      asked = true
      this.emit('accessDialogOpened')
    }, QUESTION_MS)
    try {
      const { audioSource, videoSource } = this.#properties
      const screenSound = isScreen(videoSource) && isScreen(audioSource)
      await openTogether(this.sources, this.wants, screenSound)
    } catch (/** @type {any} */ error) {
      this.accessAllowed = false
      if (error.name === 'OT_USER_MEDIA_ACCESS_DENIED') {
        this.dispatchEvent(new OTEvent('accessDenied', { message: error.message }, true))
      }
      throw error
    } finally {
      clearTimeout(question)
      if (asked) this.emit('accessDialogClosed')
    }
    if (this.isDestroyed) {
      this.release()
      throw gone()
    }
    this.accessAllowed = true
    this.isVideoOn = this.wants.video && this.sources.video.isOpen
    this.#applyAudio()
    this.#showVideo()
    this.widget.setLoading(false)
    this.emit('accessAllowed')
    this.emit('mediaStreamAvailable', { mediaStream: this.widget.video.srcObject })
    this.startMeter()
  }

  /** @param {boolean} on @returns {this} */
  publishAudio(on) {
    this.wants.audio = !!on
    this.widget.setMuted(!this.wants.audio)
    if (
      this.wants.audio &&
      this.sources.audio.exists &&
      !this.sources.audio.isOpen &&
      this.accessAllowed
    ) {
      this.sources.audio.open().then(
        () => this.#audioOpened(),
        (error) => {
          this.wants.audio = false
          this.widget.setMuted(true)
          fail(error, null, this)
        },
      )
    }
    this.#applyAudio()
    return this
  }

  /**
   * Without video the camera is closed, and its light goes out.
   *
   * @param {boolean} on
   * @param {(error?: OpenTokError) => void} [callback]
   * @returns {this}
   */
  publishVideo(on, callback) {
    this.wants.video = !!on
    const done = this.#queue(() => this.#settleVideo())
    done.then(
      () => callback && later(() => callback()),
      (error) => fail(error, callback, this),
    )
    return this
  }

  /** @returns {MediaStreamTrack | null} */
  getAudioSource() {
    return this.sources.audio.track
  }

  /** @returns {{ deviceId: string | null, type: string | null, track: MediaStreamTrack | null }} */
  getVideoSource() {
    const { track } = this.sources.video
    return {
      deviceId: track?.getSettings().deviceId ?? null,
      type: track && this.videoType,
      track,
    }
  }

  /**
   * Changes the microphone.
   *
   * @param {string | MediaStreamTrack | boolean | null} source a device, a track; null or false: silence
   * @returns {Promise<void>}
   */
  setAudioSource(source) {
    return this.#queue(async () => {
      await this.ready
      if (!this.sources.audio.exists) throw noSuchMedium('audio')
      await this.sources.audio.change(source, this.wants.audio || this.sources.audio.isOpen)
      await this.#audioOpened()
      this.emit('audioInputDeviceChanged', {
        device: { deviceId: this.sources.audio.track?.getSettings().deviceId ?? null },
      })
    })
  }

  /**
   * Changes the camera.
   *
   * @param {string | MediaStreamTrack} source a device or a track
   * @returns {Promise<void>}
   */
  setVideoSource(source) {
    return this.#queue(async () => {
      await this.ready
      if (!this.sources.video.exists) throw noSuchMedium('video')
      await this.sources.video.change(source, this.wants.video).finally(() => this.#applyVideo())
    })
  }

  /** Takes the next camera. @returns {Promise<{ deviceId: string }>} */
  async cycleVideo() {
    const devices = await navigator.mediaDevices.enumerateDevices()
    const cameras = devices.filter(({ kind }) => kind === 'videoinput')
    const { deviceId } = this.getVideoSource()
    const at = cameras.findIndex((camera) => camera.deviceId === deviceId)
    const next = cameras[(at + 1) % cameras.length]
    if (!next) throw new OpenTokError(1500, 'OT_NO_DEVICES_FOUND', 'No camera was found.')
    await this.setVideoSource(next.deviceId)
    return { deviceId: next.deviceId }
  }

  /** @param {{ width: number, height: number }} resolution @returns {Promise<void>} */
  async setPreferredResolution({ width, height }) {
    await this.sources.video.track?.applyConstraints({
      ...this.sources.video.track.getConstraints(),
      width: { ideal: width },
      height: { ideal: height },
    })
  }

  /** @param {number} frameRate @returns {Promise<void>} */
  async setPreferredFrameRate(frameRate) {
    await this.sources.video.track?.applyConstraints({
      ...this.sources.video.track.getConstraints(),
      frameRate: { ideal: frameRate },
    })
  }

  /** For the publisher: the devices have followed all that was asked so far. @returns {Promise<void>} */
  async settled() {
    await this.ready
    await this.#work
  }

  /** For the publisher: takes and shows the state of both media, as after something was sent anew. */
  async applyAll() {
    await this.#audioOpened()
    await this.#applyVideo()
  }

  /** For the publisher: closes what was opened. */
  release() {
    this.isDestroyed = true
    this.stopMeter()
    this.sources.audio.release()
    this.sources.video.release()
  }

  /**
   * For the publisher: sends another track from now on.
   *
   * @param {'audio' | 'video'} _kind
   * @param {MediaStreamTrack | null} _track
   */
  async replaceTrack(_kind, _track) {}

  /** For the publisher: tells what is new. @param {StreamUpdate} _update */
  sendUpdate(_update) {}

  /** For the publisher: the media ended by themselves and cannot come back. */
  mediaEnded() {}

  /** For the publisher. @returns {'camera' | 'screen' | 'custom'} */
  get videoType() {
    const { video } = this.sources
    return video.isScreen ? 'screen' : video.isCustom ? 'custom' : 'camera'
  }

  /** For the publisher. */
  get sendsAudio() {
    return this.wants.audio && this.sources.audio.isOpen
  }

  /** For the publisher: null while video is off. */
  get videoTrack() {
    const { video } = this.sources
    return this.isVideoOn && video.isOpen ? video.track : null
  }

  /** Muted is a track that is not enabled: the microphone stays open, to come back at once. */
  #applyAudio() {
    if (this.sources.audio.track) this.sources.audio.track.enabled = this.wants.audio
    this.sendUpdate({ hasAudio: this.sendsAudio })
  }

  async #audioOpened() {
    this.#applyAudio()
    await this.replaceTrack('audio', this.sources.audio.track)
    this.stopMeter()
    this.startMeter()
  }

  /** Brings the camera to what the page wants by now. */
  async #settleVideo() {
    await this.ready
    if (this.isDestroyed || !this.sources.video.exists) return
    const on = this.wants.video
    if (on === this.isVideoOn) return
    if (on) {
      try {
        await this.sources.video.open()
      } catch (error) {
        this.wants.video = false
        throw error
      }
    }
    this.isVideoOn = on
    await this.#applyVideo()
    if (!on) this.sources.video.pause()
  }

  /** Sends, shows and announces the video, or its absence. */
  async #applyVideo() {
    await this.replaceTrack('video', this.videoTrack)
    this.sendUpdate({ hasVideo: this.videoTrack !== null })
    this.#showVideo()
  }

  #showVideo() {
    const track = this.videoTrack
    if (track && this.sources.video.isScreen) track.contentHint ||= 'detail'
    const { video } = this.widget
    const shown = /** @type {MediaStream | null} */ (video.srcObject)?.getVideoTracks()[0] ?? null
    if (track !== shown) video.srcObject = track && new MediaStream([track])
    if (track) video.play().catch(() => {})
    this.widget.setAudioOnly(!track)
    const mirror = this.#properties.mirror ?? (this.videoType === 'camera' && !this.#facesAway)
    this.widget.setMirrored(mirror)
  }

  get #facesAway() {
    return this.sources.video.track?.getSettings().facingMode === 'environment'
  }

  /** A device was unplugged, or sharing was ended in the browser's own bar. @param {MediaStreamTrack} track */
  #trackEnded(track) {
    if (this.isDestroyed) return
    this.emit('mediaStopped', { track })
    if (track.kind === 'video' && !this.sources.video.isScreen) {
      this.wants.video = false
      this.#queue(() => this.#settleVideo()).catch(() => {})
    } else if (track.kind === 'audio') {
      this.#applyAudio()
    }
    // A device may come back; a screen, and what the page gave, does not.
    const { audio, video } = this.sources
    const over = video.isScreen ? !video.isOpen : !video.isOpen && !audio.isOpen && video.isCustom
    if (over) this.mediaEnded()
  }

  /**
   * @template T
   * @param {() => Promise<T>} task
   * @returns {Promise<T>} of this task, which runs after those before it
   */
  #queue(task) {
    const result = this.#work.then(task)
    this.#work = result.catch(() => {})
    return result
  }

  ear() {
    const { track } = this.sources.audio
    if (!track || this.isDestroyed) return null
    const { read, close } = listen(track)
    return { read: () => (this.wants.audio ? read() : 0), close }
  }
}

/** For the publisher. */
export function gone() {
  return new OpenTokError(
    1500,
    'OT_STREAM_DESTROYED',
    'The publisher was ended before it published.',
  )
}

/** @param {string} medium */
function noSuchMedium(medium) {
  return new OpenTokError(1041, 'OT_INVALID_PARAMETER', `The publisher was made without ${medium}.`)
}
