/**
 * @file A stream that this client publishes, whichever way its media go. What publishes it holds on to one object when
 * the way changes.
 */

/** @import { Kind } from './messages.js' */
/** @import { Outgoing, Peer } from './peer.js' */
/** @import { P2pNegotiator } from './p2p/negotiation.js' */

/** @typedef {{ connectionId?: string, senders: (RTCRtpSender | undefined)[] }} Sent */

export class Publication {
  streamId
  #peer
  #p2p
  /** What is sent, as it is now. @type {Outgoing[]} */
  #tracks
  /** Through the server. @type {Partial<Record<Kind, RTCRtpTransceiver>> | null} */
  #made = null
  /** @type {Promise<void> | null} */
  #routing = null
  #ended = false

  /**
   * @param {string} streamId
   * @param {Outgoing[]} tracks
   * @param {{ peer: Peer, p2p: P2pNegotiator }} ways
   */
  constructor(streamId, tracks, { peer, p2p }) {
    this.streamId = streamId
    this.#tracks = tracks
    this.#peer = peer
    this.#p2p = p2p
  }

  /** Sends it to whoever asks for it. */
  useP2p() {
    this.#p2p.publish(this.streamId, this.#tracks)
  }

  /** Sends it to the server. @returns {Promise<void>} once that has answered */
  route() {
    this.#routing ??= this.#route()
    return this.#routing
  }

  async #route() {
    const made = await this.#peer.publish(this.streamId, this.#tracks)
    if (this.#ended) {
      this.#peer.unpublish(this.streamId)
      return
    }
    this.#made = made
    // What was replaced meanwhile.
    for (const { kind, track } of this.#tracks) await made[kind]?.sender.replaceTrack(track)
  }

  /** @param {Kind} kind @param {MediaStreamTrack | null} track */
  async replaceTrack(kind, track) {
    this.#tracks = this.#tracks.map((each) => (each.kind === kind ? { ...each, track } : each))
    await this.#made?.[kind]?.sender.replaceTrack(track)
    await this.#p2p.replaceTrack(this.streamId, kind, track)
  }

  /** By what it is sent: to the server, or to each subscriber. @returns {Sent[]} */
  get sent() {
    const made = this.#made
    if (made) return [{ senders: [made.audio?.sender, made.video?.sender] }]
    return this.#p2p
      .senders(this.streamId)
      .map(({ to, senders }) => ({ connectionId: to, senders: [senders.audio, senders.video] }))
  }

  /** Ends the sending. The server knows, or is told by somebody else. */
  end() {
    this.#ended = true
    if (this.#made) this.#peer.unpublish(this.streamId)
    this.#p2p.unpublish(this.streamId)
  }
}
