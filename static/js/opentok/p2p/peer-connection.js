/**
 * @file One peer connection between two browsers: one subscriber's view of one stream, either side of it.
 *
 * Gathers and takes candidates, and notices when the way between the two is broken, or was never found.
 */

/** @import { Candidate } from '../messages.js' */

/** Browsers that have found no way to one another after this time find none. */
export const CONNECT_MS = 5000

/** `disconnected` is often a moment of bad radio; after this time it is taken for a changed path. */
const DISCONNECTED_MS = 3000

/** Candidates that are found within so long go into one message. */
const GATHER_MS = 50

/**
 * @typedef {object} Handlers
 * @property {(candidates: Candidate[]) => void} found candidates of this side
 * @property {(state: RTCPeerConnectionState) => void} state
 * @property {() => void} lost the way is broken: another should be looked for
 * @property {() => void} failed there is none
 * @property {() => boolean} reachable whether the server can be reached; without it nothing has failed yet
 */

export class P2pConnection {
  #handlers
  /** @type {RTCPeerConnection} */
  connection
  #closed = false
  /** @type {Candidate[]} */
  #found = []
  /** Those of the other side that came before its description. @type {Candidate[]} */
  #early = []
  #gathering = /** @type {any} */ (null)
  #patience = /** @type {any} */ (null)

  /**
   * @param {RTCPeerConnection} connection
   * @param {Handlers} handlers
   */
  constructor(connection, handlers) {
    this.connection = connection
    this.#handlers = handlers
    connection.onicecandidate = ({ candidate }) => this.#gather(candidate)
    connection.onconnectionstatechange = () => this.#stateChanged()
    this.#expectConnection()
  }

  get isClosed() {
    return this.#closed
  }

  get state() {
    return this.connection.connectionState
  }

  /** @param {RTCSessionDescriptionInit} description of the other side */
  async describe(description) {
    await this.connection.setRemoteDescription(description)
    this.takeCandidates(this.#early.splice(0))
  }

  /** @param {Candidate[]} candidates of the other side */
  takeCandidates(candidates) {
    if (this.#closed) return
    if (!this.connection.remoteDescription) {
      this.#early.push(...candidates)
      return
    }
    for (const candidate of candidates) {
      // One that cannot be used is one way less.
      this.connection.addIceCandidate(candidate).catch(() => {})
    }
  }

  /** Another way is being looked for. */
  restarted() {
    if (this.state !== 'connected') this.#expectConnection()
  }

  close() {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#gathering)
    clearTimeout(this.#patience)
    this.connection.close()
  }

  /** @param {RTCIceCandidate | null} candidate null: there are no more */
  #gather(candidate) {
    if (this.#closed) return
    if (candidate?.candidate) this.#found.push(/** @type {Candidate} */ (candidate.toJSON()))
    clearTimeout(this.#gathering)
    if (this.#found.length === 0) return
    this.#gathering = setTimeout(
      () => this.#handlers.found(this.#found.splice(0)),
      candidate ? GATHER_MS : 0,
    )
  }

  #stateChanged() {
    if (this.#closed) return
    const { state } = this
    if (state === 'connected') clearTimeout(this.#patience)
    else if (state === 'failed') this.#lost()
    else if (state === 'disconnected') this.#wait(DISCONNECTED_MS, () => this.#lost())
    this.#handlers.state(state)
  }

  #lost() {
    this.#expectConnection()
    this.#handlers.lost()
  }

  #expectConnection() {
    this.#wait(CONNECT_MS, () => {
      if (this.state === 'connected') return
      if (this.#handlers.reachable()) this.#handlers.failed()
      else this.#expectConnection()
    })
  }

  /**
   * @param {number} ms
   * @param {() => void} task
   */
  #wait(ms, task) {
    clearTimeout(this.#patience)
    this.#patience = setTimeout(task, ms)
  }
}
