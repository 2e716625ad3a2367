/** @file Shows one's own camera, microphone or screen, and sends it to a session. */

import { captureDevices, isScreen, isTrack, parseResolution, videoEncodings } from './capture.js'
import { answering, fail, OpenTokError } from './errors.js'
import { Events, later, OTEvent } from './events.js'
import { uuid } from './ids.js'
import { LevelMeter, listen } from './levels.js'
import { openTogether, Source } from './source.js'
import { mergedReport, publisherStats } from './stats.js'
import { Stream } from './stream.js'
import { Widget } from './widget.js'

/** @import { Media, Publication } from './media.js' */
/** @import { NewStream, StreamUpdate } from './messages.js' */
/** @import { Outgoing } from './peer.js' */

/** A browser that asks the person shows its question within this time. */
const QUESTION_MS = 400

/**
 * Where a publisher publishes.
 *
 * @typedef {object} Place
 * @property {any} session
 * @property {Media} media
 * @property {() => void} forget the session no longer lists the publisher
 * @property {(changes: import('./stream.js').Stream, update: StreamUpdate) => void} changed
 */

export class Publisher extends Events {
  /** @type {string} */
  id
  /** @type {any} the session it publishes to */
  session = null
  /** @type {Stream | null} */
  stream = null
  /** @type {boolean | undefined} undefined: not known yet */
  accessAllowed

  #properties
  #widget
  #audio
  #video
  /** What the page wants. */
  #wants
  /** Whether video is being sent, or would be. */
  #videoOn = false
  /** One change of the camera at a time. @type {Promise<unknown>} */
  #work = Promise.resolve()

  /** @type {Place | null} */
  #place = null
  /** @type {Publication | null} */
  #publication = null
  #destroyed = false
  /** Settles when the devices are open. @type {Promise<void>} */
  #ready
  /** @type {{ meter: LevelMeter, ear: { close(): void } } | null} */
  #metering = null

  /**
   * @param {any} target
   * @param {Record<string, any>} properties
   * @param {any} callback
   */
  constructor(target, properties, callback) {
    super()
    this.#properties = properties
    this.id = `OT_${uuid()}`
    this.#wants = {
      audio: properties.publishAudio !== false,
      video: properties.publishVideo !== false,
    }
    const ended = (/** @type {MediaStreamTrack} */ track) => this.#trackEnded(track)
    this.#audio = new Source('audio', properties, ended)
    this.#video = new Source('video', properties, ended)

    this.#widget = new Widget(target, {
      role: 'publisher',
      id: this.id,
      properties,
      onMuteClick: () => this.publishAudio(!this.#wants.audio),
      onPlaced: (element) => {
        this.id = element.id
      },
    })
    this.#widget.setFit(properties.fitMode ?? (this.#video.isScreen ? 'contain' : 'cover'))
    this.#widget.setMuted(!this.#wants.audio)
    this.#widget.setLoading(true)
    this.#watchPreview()
    later(() => this.#emit('videoElementCreated', { element: this.#widget.video }))

    this.#ready = this.#open()
    this.#ready.then(
      () => callback && later(() => callback(undefined, this)),
      (error) => fail(error, callback, this),
    )
  }

  get element() {
    return this.#widget.element
  }

  get streamId() {
    return this.stream?.streamId
  }

  async #open() {
    // Outside the caller's stack, so that the page can listen first.
    await null
    const question = setTimeout(() => this.#emit('accessDialogOpened'), QUESTION_MS)
    let asked = true
    try {
      const { audioSource, videoSource } = this.#properties
      const screenSound = isScreen(videoSource) && isScreen(audioSource)
      await openTogether({ audio: this.#audio, video: this.#video }, this.#wants, screenSound)
    } catch (/** @type {any} */ error) {
      this.accessAllowed = false
      if (error.name === 'OT_USER_MEDIA_ACCESS_DENIED') {
        this.dispatchEvent(new OTEvent('accessDenied', { message: error.message }, true))
      }
      throw error
    } finally {
      asked = this.#closeQuestion(question)
    }
    if (this.#destroyed) {
      this.#audio.release()
      this.#video.release()
      throw gone()
    }
    this.accessAllowed = true
    this.#videoOn = this.#wants.video && this.#video.isOpen
    this.#applyAudio()
    this.#showVideo()
    this.#widget.setLoading(false)
    if (asked) this.#emit('accessAllowed')
    this.#emit('mediaStreamAvailable', { mediaStream: this.#widget.video.srcObject })
    this.#startMeter()
  }

  /** @param {any} question */
  #closeQuestion(question) {
    clearTimeout(question)
    this.#emit('accessDialogClosed')
    return true
  }

  /** @param {boolean} on @returns {this} */
  publishAudio(on) {
    this.#wants.audio = !!on
    this.#widget.setMuted(!this.#wants.audio)
    if (this.#wants.audio && this.#audio.exists && !this.#audio.isOpen && this.accessAllowed) {
      this.#audio.open().then(
        () => this.#audioOpened(),
        (error) => {
          this.#wants.audio = false
          this.#widget.setMuted(true)
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
    this.#wants.video = !!on
    const done = this.#queue(() => this.#settleVideo())
    done.then(
      () => callback && later(() => callback()),
      (error) => fail(error, callback, this),
    )
    return this
  }

  /** @returns {MediaStreamTrack | null} */
  getAudioSource() {
    return this.#audio.track
  }

  /** @returns {{ deviceId: string | null, type: string | null, track: MediaStreamTrack | null }} */
  getVideoSource() {
    const { track } = this.#video
    return {
      deviceId: track?.getSettings().deviceId ?? null,
      type: track && this.#videoType,
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
      await this.#ready
      if (!this.#audio.exists) throw noSuchMedium('audio')
      if (isTrack(source)) {
        this.#audio.use(source, false)
      } else if (source === null || source === false) {
        this.#audio.release()
      } else {
        const audioSource = typeof source === 'string' ? source : undefined
        const properties = { ...this.#properties, audioSource, videoSource: undefined }
        const { constraints } = new Source('audio', properties, () => {})
        const { audio } = await captureDevices({ audio: constraints })
        if (audio) this.#audio.use(audio, true)
      }
      await this.#audioOpened()
      this.#emit('audioInputDeviceChanged', {
        device: { deviceId: this.#audio.track?.getSettings().deviceId ?? null },
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
      await this.#ready
      if (!this.#video.exists) throw noSuchMedium('video')
      if (isTrack(source)) {
        this.#video.use(source, false)
      } else {
        const properties = { ...this.#properties, videoSource: source, facingMode: undefined }
        const { constraints } = new Source('video', properties, () => {})
        // Phones open one camera at a time.
        this.#video.pause()
        this.#properties.videoSource = source
        if (!this.#wants.video) return
        const { video } = await captureDevices({ video: constraints })
        if (video) this.#video.use(video, true)
      }
      await this.#sendVideo()
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
    await this.#video.track?.applyConstraints({
      ...this.#video.track.getConstraints(),
      width: { ideal: width },
      height: { ideal: height },
    })
  }

  /** @param {number} frameRate @returns {Promise<void>} */
  async setPreferredFrameRate(frameRate) {
    await this.#video.track?.applyConstraints({
      ...this.#video.track.getConstraints(),
      frameRate: { ideal: frameRate },
    })
  }

  /** @returns {string | null} the present picture, as base64 PNG */
  getImgData() {
    return this.#widget.picture()
  }

  /** @param {any} style or a name @param {any} [value] @returns {this} */
  setStyle(style, value) {
    this.#widget.setStyle(typeof style === 'string' ? { [style]: value } : style)
    this.#startMeter()
    return this
  }

  getStyle() {
    return this.#widget.getStyle()
  }

  videoWidth() {
    return this.#widget.video.videoWidth || undefined
  }

  videoHeight() {
    return this.#widget.video.videoHeight || undefined
  }

  /** @param {(error: any, stats?: any) => void} [callback] */
  getStats(callback) {
    const stats = this.getRtcStatsReport().then((reports) =>
      reports.map(({ rtcStatsReport }) => ({ stats: publisherStats(rtcStatsReport) })),
    )
    return answering(stats, callback)
  }

  /** @returns {Promise<{ rtcStatsReport: RTCStatsReport }[]>} */
  async getRtcStatsReport() {
    const senders = this.#publication?.senders
    if (!senders)
      throw new OpenTokError(1015, 'OT_NOT_CONNECTED', 'The publisher is not connected.')
    return [{ rtcStatsReport: await mergedReport([senders.audio, senders.video]) }]
  }

  /** @param {any} _filter @returns {Promise<never>} */
  applyVideoFilter(_filter) {
    return Promise.reject(notBuilt('Video filters'))
  }

  async clearVideoFilter() {}

  /** @param {any} _filter @returns {Promise<never>} */
  applyAudioFilter(_filter) {
    return Promise.reject(notBuilt('Audio filters'))
  }

  async clearAudioFilter() {}

  /** Ends the stream, closes the devices and removes the element. @returns {this} */
  destroy() {
    if (this.#destroyed) return this
    this.#destroyed = true
    const { stream } = this
    this.#leave(true)
    this.#stopMeter()
    this.#audio.release()
    this.#video.release()
    this.#widget.destroy()
    later(() => {
      if (stream) this.#emit('streamDestroyed', { stream, reason: 'unpublished' })
      this.#emit('destroyed')
    })
    return this
  }

  /** Whoever listens for the level starts its measuring. */
  /** @param {any} names @param {any} [handler] @param {any} [context] @returns {this} */
  on(names, handler, context) {
    super.on(names, handler, context)
    this.#startMeter()
    return this
  }

  /**
   * For the session only: sends the media.
   *
   * @param {Place} place
   * @returns {Promise<Stream>} once others can see it
   */
  async publishTo(place) {
    if (this.#destroyed) throw gone()
    this.#place = place
    this.session = place.session
    try {
      await this.#ready
      await this.#work
      const announced = this.#announcement()
      if (this.#place !== place) throw gone()
      const publication = await place.media.publish(announced, this.#outgoing(announced.hasVideo))
      if (this.#place !== place) {
        place.media.unpublish(publication.streamId)
        throw gone()
      }
      this.#publication = publication
      this.stream = new Stream(
        {
          ...announced,
          streamId: publication.streamId,
          connectionId: place.session.connection.connectionId,
          creationTime: Date.now(),
        },
        place.session.connection,
      )
      await this.#audioOpened() // what changed while the server was asked
      await this.#sendVideo()
      return this.stream
    } catch (error) {
      if (this.#place === place) {
        this.#place = null
        this.session = null
      }
      throw error
    }
  }

  /**
   * For the session only: the stream ended, or is to end.
   *
   * @param {string} reason
   * @param {{ tell: boolean, keep?: boolean }} how `tell`: the server does not know yet; `keep`: the page keeps the element
   */
  endStream(reason, { tell, keep = false }) {
    const { stream } = this
    this.#leave(tell)
    if (!stream) return
    later(() => {
      const event = new OTEvent('streamDestroyed', { stream, reason }, true)
      this.dispatchEvent(event)
      if (!keep && !event.isDefaultPrevented() && !this.session) this.destroy()
    })
  }

  /** For the session only: a moderator muted the stream, and the server knows. */
  mutedByForce() {
    this.#wants.audio = false
    this.#widget.setMuted(true)
    if (this.#audio.track) this.#audio.track.enabled = false
    if (this.stream) this.#place?.changed(this.stream, { hasAudio: false })
    this.#emit('muteForced')
  }

  /** For the session only. @param {boolean | null} on */
  setArchiving(on) {
    this.#widget.setArchiving(on)
  }

  /** @param {boolean} tell */
  #leave(tell) {
    const place = this.#place
    const publication = this.#publication
    this.#place = null
    this.#publication = null
    this.session = null
    this.stream = null
    if (!place) return
    place.forget()
    this.#widget.setArchiving(null)
    if (!publication) return
    if (tell) place.media.unpublish(publication.streamId)
    else place.media.unpublished(publication.streamId)
  }

  /** @returns {NewStream} */
  #announcement() {
    const { width, height, frameRate } = this.#video.track?.getSettings() ?? {}
    const asked = parseResolution(this.#properties.resolution)
    const hasVideo = this.#video.exists && this.#videoOn
    return {
      name: String(this.#properties.name ?? '').slice(0, 1000),
      hasAudio: this.#sendsAudio,
      hasVideo,
      videoType: this.#videoType,
      width: this.#video.exists ? (width ?? asked.width) : 0,
      height: this.#video.exists ? (height ?? asked.height) : 0,
      frameRate: hasVideo && frameRate ? Math.min(Math.round(frameRate), 255) : null,
    }
  }

  /** @param {boolean} hasVideo @returns {Outgoing[]} */
  #outgoing(hasVideo) {
    /** @type {Outgoing[]} */
    const tracks = []
    if (this.#audio.exists) tracks.push({ kind: 'audio', track: this.#audio.track })
    if (this.#video.exists) {
      const { track, isScreen } = this.#video
      const encodings = videoEncodings(isScreen, track, this.#properties)
      tracks.push({ kind: 'video', track: hasVideo ? track : null, encodings })
    }
    return tracks
  }

  get #videoType() {
    return this.#video.isScreen ? 'screen' : this.#video.isCustom ? 'custom' : 'camera'
  }

  get #sendsAudio() {
    return this.#wants.audio && this.#audio.isOpen
  }

  /** Muted is a track that is not enabled: the microphone stays open, to come back at once. */
  #applyAudio() {
    if (this.#audio.track) this.#audio.track.enabled = this.#wants.audio
    this.#tell({ hasAudio: this.#sendsAudio })
  }

  async #audioOpened() {
    this.#applyAudio()
    await this.#publication?.senders.audio?.replaceTrack(this.#audio.track)
    this.#stopMeter()
    this.#startMeter()
  }

  /** Brings the camera to what the page wants by now. */
  async #settleVideo() {
    await this.#ready
    if (this.#destroyed || !this.#video.exists) return
    const on = this.#wants.video
    if (on === this.#videoOn) return
    if (on) {
      try {
        await this.#video.open()
      } catch (error) {
        this.#wants.video = false
        throw error
      }
    }
    this.#videoOn = on
    await this.#sendVideo()
    if (!on) this.#video.pause()
  }

  /** Sends, shows and announces the video, or its absence. */
  async #sendVideo() {
    const track = this.#videoOn && this.#video.isOpen ? this.#video.track : null
    await this.#publication?.senders.video?.replaceTrack(track)
    this.#tell({ hasVideo: track !== null })
    this.#showVideo()
  }

  #showVideo() {
    const track = this.#videoOn ? this.#video.track : null
    if (track && this.#video.isScreen) track.contentHint ||= 'detail'
    const { video } = this.#widget
    const shown = /** @type {MediaStream | null} */ (video.srcObject)?.getVideoTracks()[0] ?? null
    if (track !== shown) video.srcObject = track && new MediaStream([track])
    if (track) video.play().catch(() => {})
    this.#widget.setAudioOnly(!track)
    const mirror = this.#properties.mirror ?? (this.#videoType === 'camera' && !this.#facesAway)
    this.#widget.setMirrored(mirror)
  }

  get #facesAway() {
    return this.#video.track?.getSettings().facingMode === 'environment'
  }

  #watchPreview() {
    const { video } = this.#widget
    video.addEventListener('resize', () => {
      const oldValue = this.stream?.videoDimensions
      const newValue = { width: video.videoWidth, height: video.videoHeight }
      if (!oldValue || newValue.width === 0) return
      if (oldValue.width === newValue.width && oldValue.height === newValue.height) return
      this.#tell(newValue)
      this.#emit('videoDimensionsChanged', { oldValue, newValue })
    })
  }

  /** Tells the server and the page what is new about the stream. @param {StreamUpdate} update */
  #tell(update) {
    const { stream } = this
    if (!stream || !this.#place) return
    const { hasAudio = stream.hasAudio, hasVideo = stream.hasVideo } = update
    const { width = stream.videoDimensions.width, height = stream.videoDimensions.height } = update
    const same =
      hasAudio === stream.hasAudio &&
      hasVideo === stream.hasVideo &&
      width === stream.videoDimensions.width &&
      height === stream.videoDimensions.height
    if (same) return
    this.#place.media.updateStream(stream.streamId, update)
    this.#place.changed(stream, update)
  }

  /** A device was unplugged, or sharing was ended in the browser's own bar. @param {MediaStreamTrack} track */
  #trackEnded(track) {
    if (this.#destroyed) return
    this.#emit('mediaStopped', { track })
    if (track.kind === 'video' && !this.#video.isScreen) {
      this.#wants.video = false
      this.#queue(() => this.#settleVideo()).catch(() => {})
    } else if (track.kind === 'audio') {
      this.#applyAudio()
    }
    if (this.#video.isScreen ? !this.#video.isOpen : !this.#audio.isOpen && !this.#video.isOpen) {
      if (this.stream) this.endStream('mediaStopped', { tell: true })
    }
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

  /** Measures the sound while anybody is interested. */
  #startMeter() {
    const { track } = this.#audio
    if (this.#metering || this.#destroyed || !track) return
    if (!this.hasHandlers('audioLevelUpdated') && !this.#widget.showsLevel) return
    const ear = listen(track)
    const meter = new LevelMeter(
      () => (this.#wants.audio ? ear.read() : 0),
      (audioLevel) => {
        this.#widget.setLevel(audioLevel)
        this.#emit('audioLevelUpdated', { audioLevel })
      },
    )
    this.#metering = { meter, ear }
  }

  #stopMeter() {
    this.#metering?.meter.stop()
    this.#metering?.ear.close()
    this.#metering = null
  }

  /**
   * @param {string} type
   * @param {Record<string, unknown>} [fields]
   */
  #emit(type, fields) {
    this.dispatchEvent(new OTEvent(type, fields))
  }
}

function gone() {
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

/** @param {string} what */
function notBuilt(what) {
  return new OpenTokError(2000, 'OT_NOT_SUPPORTED', `${what} are not supported.`)
}
