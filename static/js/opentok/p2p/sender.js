/** @file Sends one of this client's streams to one subscriber, straight from browser to browser. */

import { P2pConnection } from './peer-connection.js'

/** @import { ClientMessage, Description, Kind, Want } from '../messages.js' */
/** @import { Outgoing } from '../peer.js' */

/** A picture however small deserves so many bits. */
const MIN_BITRATE = 150_000

/** Nobody wants a picture of a few pixels, however small the element. */
const MAX_SCALE = 8

/** ICE restarts are not tried more often than this. */
const RESTART_PAUSE_MS = 2000

/**
 * @typedef {object} Options
 * @property {string} to the subscriber's connection
 * @property {RTCPeerConnection} connection
 * @property {MediaStream} [stream] ties sound and picture together
 * @property {(message: { type: 'peer.sdp', description: Description } | Extract<ClientMessage, { type: 'peer.ice' }>) => void} send
 * @property {() => void} failed
 * @property {() => boolean} reachable
 */

export class P2pSender {
  #options
  #pair
  /** @type {Record<Kind, RTCRtpSender>} */
  senders
  /** @type {Record<Kind, Outgoing | null>} */
  #tracks
  #wanted = { audio: true, video: true, height: 0, frameRate: 0 }
  /** One change of what is sent at a time. @type {Promise<unknown>} */
  #work = Promise.resolve()
  /** An offer should follow the one that is not answered yet. */
  #again = false
  #offering = false
  #restartedAt = Number.NEGATIVE_INFINITY

  /**
   * @param {Outgoing[]} tracks
   * @param {any} options
   */
  constructor(tracks, options) {
    const { connection, stream, send, failed, reachable } = options
    this.#options = options
    this.#pair = new P2pConnection(connection, {
      found: (candidates) => send({ type: 'peer.ice', candidates }),
      state: () => {},
      lost: () => this.restart(),
      failed,
      reachable,
    })
    const of = (/** @type {Kind} */ kind) => tracks.find((each) => each.kind === kind) ?? null
    this.#tracks = { audio: of('audio'), video: of('video') }
    const add = (/** @type {Kind} */ kind) =>
      connection.addTransceiver(kind, {
        direction: 'sendonly',
        ...(stream && { streams: [stream] }),
      }).sender
    // Both, whatever the stream has now, so that turning one on needs no negotiation.
    this.senders = { audio: add('audio'), video: add('video') }
  }

  get to() {
    return this.#options.to
  }

  /**
   * The subscriber asks for the stream, or for it otherwise than before.
   *
   * @param {Want} want
   */
  want({ restart, ...wanted }) {
    Object.assign(this.#wanted, wanted)
    this.apply()
    if (restart) this.restart()
  }

  /** @param {Kind} kind @param {MediaStreamTrack | null} track @returns {Promise<void>} */
  replaceTrack(kind, track) {
    const sent = this.#tracks[kind]
    this.#tracks[kind] = { ...sent, kind, track }
    return this.apply()
  }

  /** Sends what there is, as far as it is wanted. @returns {Promise<void>} */
  apply() {
    const done = this.#work.then(async () => {
      if (this.#pair.isClosed) return
      for (const kind of /** @type {const} */ (['audio', 'video'])) {
        const track = this.#wanted[kind] ? (this.#tracks[kind]?.track ?? null) : null
        if (this.senders[kind].track !== track) await this.senders[kind].replaceTrack(track)
      }
      await this.#limit()
    })
    this.#work = done.catch(() => {})
    return done
  }

  /** Makes the picture as large, and as frequent, as it is wanted. */
  async #limit() {
    const { track, encodings } = this.#tracks.video ?? {}
    const parameters = this.senders.video.getParameters()
    const [encoding] = parameters.encodings ?? []
    if (!track || !encoding) return
    const full = encodings?.at(-1)
    const { height, frameRate } = this.#wanted
    const ratio = height > 0 ? (track.getSettings().height ?? 0) / height : 1
    const scale = Math.min(Math.max(ratio, 1), MAX_SCALE)
    const bits = full?.maxBitrate ?? 1_000_000
    const rates = [full?.maxFramerate ?? 0, frameRate].filter((rate) => rate > 0)
    encoding.scaleResolutionDownBy = scale
    encoding.maxBitrate = Math.max(Math.round(bits / scale), Math.min(bits, MIN_BITRATE))
    if (rates.length > 0) encoding.maxFramerate = Math.min(...rates)
    else delete encoding.maxFramerate
    await this.senders.video.setParameters(parameters)
  }

  /** Offers, now or as soon as the offer before is answered. */
  async offer() {
    if (this.#offering) {
      this.#again = true
      return
    }
    this.#offering = true
    try {
      await this.apply()
      const { connection } = this.#pair
      await connection.setLocalDescription(await connection.createOffer())
      const { sdp = '' } = connection.localDescription ?? {}
      if (!this.#pair.isClosed) {
        this.#options.send({ type: 'peer.sdp', description: { type: 'offer', sdp } })
      }
    } catch {
      // Closed meanwhile; anything else ends in a connection that does not come about.
    }
  }

  /** @param {Description} answer */
  async answered(answer) {
    // One that was sent again, because its first sending was not confirmed.
    if (this.#pair.connection.signalingState !== 'have-local-offer') return
    try {
      await this.#pair.describe(answer)
    } catch {
      return
    }
    this.#offering = false
    // Some browsers have no encodings to limit before they have negotiated.
    this.apply().catch(() => {})
    if (!this.#again) return
    this.#again = false
    this.restart()
  }

  /** @param {import('../messages.js').Candidate[]} candidates */
  takeCandidates(candidates) {
    this.#pair.takeCandidates(candidates)
  }

  /** Looks for another way to the subscriber. */
  restart() {
    const now = performance.now()
    if (this.#pair.isClosed || now - this.#restartedAt < RESTART_PAUSE_MS) return
    if (!this.#offering) {
      this.#restartedAt = now
      this.#pair.connection.restartIce()
    }
    this.#pair.restarted()
    this.offer()
  }

  get state() {
    return this.#pair.state
  }

  close() {
    this.#pair.close()
  }
}
