/** @file Receives one stream straight from its publisher's browser. */

import { OpenTokError } from '../errors.js'
import { P2pConnection } from './peer-connection.js'

/** @import { Candidate, Description, Want } from '../messages.js' */

/** @typedef {{ audio: RTCRtpReceiver, video: RTCRtpReceiver }} Receivers */

/**
 * @typedef {object} Options
 * @property {string} to the publisher's connection
 * @property {RTCPeerConnection} connection
 * @property {(message: any) => void} send
 * @property {(state: RTCPeerConnectionState) => void} onState
 * @property {() => void} failed
 * @property {() => boolean} reachable
 */

export class P2pReceiver {
  #options
  #pair
  /** Descriptions one after the other. @type {Promise<unknown>} */
  #work = Promise.resolve()
  /** @type {(receivers: Receivers) => void} */
  #arrived = () => {}
  /** @type {(error: OpenTokError) => void} */
  #abandoned = () => {}
  /** What the stream comes out of, once it has been offered. @type {Promise<Receivers>} */
  receivers

  /** @param {Options} options */
  constructor(options) {
    this.#options = options
    this.receivers = new Promise((resolve, reject) => {
      this.#arrived = resolve
      this.#abandoned = reject
    })
    this.receivers.catch(() => {})
    this.#pair = new P2pConnection(options.connection, {
      found: (candidates) => options.send({ type: 'peer.ice', candidates }),
      state: options.onState,
      lost: () => this.restart(),
      failed: options.failed,
      reachable: options.reachable,
    })
  }

  get to() {
    return this.#options.to
  }

  get state() {
    return this.#pair.state
  }

  /** @param {Want} want */
  ask(want) {
    if (!this.#pair.isClosed) this.#options.send({ type: 'peer.want', ...want })
  }

  /** @param {Description} offer */
  offered(offer) {
    this.#work = this.#work.then(async () => {
      const { connection } = this.#pair
      try {
        await this.#pair.describe(offer)
        await connection.setLocalDescription(await connection.createAnswer())
      } catch {
        return // closed meanwhile, or an offer that will not do: no connection comes about
      }
      if (this.#pair.isClosed) return
      const { sdp = '' } = connection.localDescription ?? {}
      this.#options.send({ type: 'peer.sdp', description: { type: 'answer', sdp } })
      const of = (/** @type {string} */ kind) =>
        connection.getReceivers().find(({ track }) => track.kind === kind)
      const [audio, video] = [of('audio'), of('video')]
      if (audio && video) this.#arrived({ audio, video })
    })
  }

  /** @param {Candidate[]} candidates */
  takeCandidates(candidates) {
    this.#pair.takeCandidates(candidates)
  }

  /** Asks for another way. */
  restart() {
    this.#pair.restarted()
    this.ask({ restart: true })
  }

  close() {
    if (this.#pair.isClosed) return
    this.#pair.close()
    this.#abandoned(
      new OpenTokError(1501, 'OT_STREAM_DESTROYED', 'The subscription ended before it began.'),
    )
  }
}
