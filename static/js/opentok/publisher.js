/** @file Shows one's own camera, microphone or screen, and sends it to a session. */

import { parseResolution, videoEncodings } from './capture.js'
import { answering, OpenTokError } from './errors.js'
import { later, OTEvent } from './events.js'
import { gone, LocalMedia } from './local-media.js'
import { promisify } from './promisify.js'
import { mergedReport, publisherStats } from './stats.js'
import { Stream } from './stream.js'

/** @import { Media } from './media.js' */
/** @import { NewStream, StreamUpdate } from './messages.js' */
/** @import { Publication } from './publication.js' */
/** @import { Outgoing } from './peer.js' */

/**
 * Where a publisher publishes.
 *
 * @typedef {object} Place
 * @property {any} session
 * @property {Media} media
 * @property {() => void} forget the session no longer lists the publisher
 * @property {(stream: Stream, update: StreamUpdate) => void} changed
 */

export class Publisher extends LocalMedia {
  /** @type {any} the session it publishes to */
  session = null
  /** @type {Stream | null} */
  stream = null
  /** Ends the stream, closes the devices and removes the element; returns the publisher. */
  destroy = promisify((/** @type {any} */ callback) => {
    this.#destroy()
    if (typeof callback === 'function') later(() => callback())
    return this
  })

  #properties
  /** @type {Place | null} */
  #place = null
  /** @type {Publication | null} */
  #publication = null

  /**
   * @param {any} target
   * @param {Record<string, any>} properties
   * @param {any} callback
   */
  constructor(target, properties, callback) {
    super(target, properties, callback)
    this.#properties = properties
    const { video } = this.widget
    video.addEventListener('resize', () => this.#resized(video.videoWidth, video.videoHeight))
  }

  get streamId() {
    return this.stream?.streamId
  }

  /** @param {(error: any, stats?: any) => void} [callback] */
  getStats(callback) {
    const stats = this.getRtcStatsReport().then((reports) =>
      reports.map(({ rtcStatsReport, ...whom }) => ({
        ...whom,
        stats: publisherStats(rtcStatsReport),
      })),
    )
    return answering(stats, callback)
  }

  /**
   * One report, or one for each subscriber when media go from browser to browser.
   *
   * @returns {Promise<{ connectionId?: string, rtcStatsReport: RTCStatsReport }[]>}
   */
  async getRtcStatsReport() {
    const sent = this.#publication?.sent
    if (!sent) throw new OpenTokError(1015, 'OT_NOT_CONNECTED', 'The publisher is not connected.')
    return Promise.all(
      sent.map(async ({ senders, ...whom }) => ({
        ...whom,
        rtcStatsReport: await mergedReport(senders),
      })),
    )
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

  #destroy() {
    if (this.isDestroyed) return
    const { stream } = this
    this.#leave(true)
    this.release()
    this.widget.destroy()
    later(() => {
      if (stream) this.emit('streamDestroyed', { stream, reason: 'unpublished' })
      this.emit('destroyed')
    })
  }

  /**
   * For the session only: sends the media.
   *
   * @param {Place} place
   * @returns {Promise<Stream>} once others can see it
   */
  async publishTo(place) {
    if (this.isDestroyed) throw gone()
    this.#place = place
    this.session = place.session
    try {
      await this.settled()
      const announced = this.#announcement()
      if (this.#place !== place) throw gone()
      const publication = await place.media.publish(announced, this.#outgoing())
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
      await this.applyAll() // what changed while the server was asked
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
   * @param {{ notifyServer: boolean, keep?: boolean }} how `notifyServer`: the server does not know yet; `keep`: the page keeps the element
   */
  endStream(reason, { notifyServer, keep = false }) {
    const { stream } = this
    this.#leave(notifyServer, reason === 'mediaStopped')
    if (!stream) return
    later(() => {
      const event = new OTEvent('streamDestroyed', { stream, reason }, true)
      this.dispatchEvent(event)
      if (!keep && !event.isDefaultPrevented() && !this.session) this.destroy()
    })
  }

  /** For the session only: a moderator muted the stream, and the server knows. */
  mutedByForce() {
    this.wants.audio = false
    this.widget.setMuted(true)
    const { track } = this.sources.audio
    if (track) track.enabled = false
    if (this.stream) this.#place?.changed(this.stream, { hasAudio: false })
    this.emit('muteForced')
  }

  /** For the session only. @param {boolean | null} on */
  setArchiving(on) {
    this.widget.setArchiving(on)
  }

  /** @param {boolean} notifyServer @param {boolean} [mediaStopped] */
  #leave(notifyServer, mediaStopped) {
    const place = this.#place
    const publication = this.#publication
    this.#place = null
    this.#publication = null
    this.session = null
    this.stream = null
    if (!place) return
    place.forget()
    this.widget.setArchiving(null)
    if (!publication) return
    if (notifyServer) place.media.unpublish(publication.streamId, mediaStopped)
    else place.media.unpublished(publication.streamId)
  }

  /** @returns {NewStream} */
  #announcement() {
    const { exists, track } = this.sources.video
    const { width, height, frameRate } = track?.getSettings() ?? {}
    const asked = parseResolution(this.#properties.resolution)
    const hasVideo = this.videoTrack !== null
    return {
      name: String(this.#properties.name ?? '').slice(0, 1000),
      hasAudio: this.sendsAudio,
      hasVideo,
      videoType: this.videoType,
      width: exists ? (width ?? asked.width) : 0,
      height: exists ? (height ?? asked.height) : 0,
      frameRate: hasVideo && frameRate ? Math.min(Math.round(frameRate), 255) : null,
    }
  }

  /** Both media that it may ever have, so that turning one on needs no negotiation. @returns {Outgoing[]} */
  #outgoing() {
    const { audio, video } = this.sources
    const encodings = videoEncodings(video.isScreen, video.track, this.#properties)
    /** @type {Outgoing[]} */
    const tracks = []
    if (audio.exists) tracks.push({ kind: 'audio', track: audio.track })
    if (video.exists) tracks.push({ kind: 'video', track: this.videoTrack, encodings })
    return tracks
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  #resized(width, height) {
    const oldValue = this.stream?.videoDimensions
    if (!oldValue || width === 0) return
    if (oldValue.width === width && oldValue.height === height) return
    const newValue = { width, height }
    this.sendUpdate(newValue)
    this.emit('videoDimensionsChanged', { oldValue, newValue })
  }

  /** @param {'audio' | 'video'} kind @param {MediaStreamTrack | null} track */
  async replaceTrack(kind, track) {
    await this.#publication?.replaceTrack(kind, track)
  }

  mediaEnded() {
    if (this.stream) this.endStream('mediaStopped', { notifyServer: true })
  }

  /** Tells the server and the page what is new about the stream. @param {StreamUpdate} update */
  sendUpdate(update) {
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
}

/** @param {string} what */
function notBuilt(what) {
  return new OpenTokError(2000, 'OT_NOT_SUPPORTED', `${what} are not supported.`)
}
