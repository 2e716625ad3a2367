/**
 * @file Media from browser to browser: a peer connection for each subscriber of each stream, and the messages between
 * the two sides, which the server hands on.
 */

import { P2pReceiver } from './receiver.js'
import { P2pSender } from './sender.js'

/** @import { Kind, ServerEvent, Want } from '../messages.js' */
/** @import { Outgoing } from '../peer.js' */

/** @typedef {Extract<ServerEvent, { from: string, streamId: string, pair: number }>} PeerEvent */

/** A message that the server refuses because there were too many is sent again after so long. */
const PATIENCE_MS = 500
const ATTEMPTS = 4

/** The other side, or the stream, is gone: what is left of the pair can go, too. */
const GONE = ['OT_NOT_FOUND', 'OT_STREAM_NOT_FOUND']

/**
 * @typedef {object} Options
 * @property {string} own this client's connection
 * @property {(message: any) => Promise<any>} request rejected when the server refuses
 * @property {() => RTCPeerConnection} createConnection
 * @property {() => MediaStream} [createStream]
 * @property {() => boolean} reachable whether the server can be reached
 * @property {(streamId: string) => void} failed two browsers found no way to one another
 */

export class P2pNegotiator {
  #options
  #lastPair = 0
  /** This client's streams. @type {Map<string, { tracks: Outgoing[], senders: Map<string, P2pSender> }>} */
  #published = new Map()
  /** What it subscribes to, by the number of the pair. @type {Map<number, P2pReceiver>} */
  #deliveries = new Map()

  /** @param {Options} options */
  constructor(options) {
    this.#options = options
  }

  /**
   * Keeps a stream for whoever asks for it.
   *
   * @param {string} streamId
   * @param {Outgoing[]} tracks
   */
  publish(streamId, tracks) {
    this.#published.set(streamId, { tracks, senders: new Map() })
  }

  /** @param {string} streamId */
  unpublish(streamId) {
    for (const sender of this.senders(streamId)) sender.close()
    this.#published.delete(streamId)
  }

  /**
   * Sends another track to everybody from now on.
   *
   * @param {string} streamId
   * @param {Kind} kind
   * @param {MediaStreamTrack | null} track
   */
  async replaceTrack(streamId, kind, track) {
    const published = this.#published.get(streamId)
    if (!published) return
    published.tracks = published.tracks.map((each) =>
      each.kind === kind ? { ...each, track } : each,
    )
    await Promise.all(this.senders(streamId).map((each) => each.replaceTrack(kind, track)))
  }

  /** Those who receive a stream. @param {string} streamId @returns {P2pSender[]} */
  senders(streamId) {
    return [...(this.#published.get(streamId)?.senders.values() ?? [])]
  }

  /**
   * Asks a publisher for a stream.
   *
   * @param {string} streamId
   * @param {string} to its publisher's connection
   * @param {Want} want
   * @param {(state: RTCPeerConnectionState) => void} onState
   * @returns {{ receiver: P2pReceiver, close: () => void }}
   */
  subscribe(streamId, to, want, onState) {
    this.#lastPair += 1
    const pair = this.#lastPair
    const send = (/** @type {any} */ message) =>
      this.#send({ to, streamId, pair, ...message }, true, () => close(false))
    const receiver = new P2pReceiver({
      to,
      connection: this.#options.createConnection(),
      send,
      onState,
      failed: () => this.#options.failed(streamId),
      reachable: this.#options.reachable,
    })
    const close = (/** @type {boolean} */ tell) => {
      if (!this.#deliveries.delete(pair)) return
      receiver.close()
      if (tell) send({ type: 'peer.bye' })
    }
    this.#deliveries.set(pair, receiver)
    receiver.ask(want)
    return { receiver, close: () => close(true) }
  }

  /** @param {PeerEvent} event */
  handle(event) {
    const toPublisher = this.#published.has(event.streamId)
    if (toPublisher) this.#hearSubscriber(event)
    else this.#hearPublisher(event)
  }

  /** @param {PeerEvent} event */
  #hearSubscriber(event) {
    const { from, streamId, pair } = event
    const published = this.#published.get(streamId)
    if (!published) return
    const key = `${from} ${pair}`
    const sender = published.senders.get(key)
    switch (event.type) {
      case 'peer.want':
        if (sender) sender.want(wantOf(event))
        else this.#ship(streamId, published, key, event)
        break
      case 'peer.sdp':
        if (event.description.type === 'answer') sender?.answered(event.description)
        break
      case 'peer.ice':
        sender?.takeCandidates(event.candidates)
        break
      case 'peer.bye':
        sender?.close()
        published.senders.delete(key)
        break
    }
  }

  /**
   * @param {string} streamId
   * @param {{ tracks: Outgoing[], senders: Map<string, P2pSender> }} published
   * @param {string} key
   * @param {Extract<PeerEvent, { type: 'peer.want' }>} want
   */
  #ship(streamId, published, key, { from: to, pair, ...want }) {
    const forget = () => {
      sender.close()
      published.senders.delete(key)
    }
    const sender = new P2pSender(published.tracks, {
      to,
      connection: this.#options.createConnection(),
      stream: this.#options.createStream?.(),
      send: (/** @type {any} */ message) =>
        this.#send({ to, streamId, pair, ...message }, false, forget),
      failed: () => this.#options.failed(streamId),
      reachable: this.#options.reachable,
    })
    published.senders.set(key, sender)
    sender.want(wantOf(want))
    sender.offer()
  }

  /** @param {PeerEvent} event */
  #hearPublisher(event) {
    const receiver = this.#deliveries.get(event.pair)
    if (!receiver || receiver.to !== event.from) return
    if (event.type === 'peer.sdp' && event.description.type === 'offer') {
      receiver.offered(event.description)
    } else if (event.type === 'peer.ice') {
      receiver.takeCandidates(event.candidates)
    }
  }

  /** Somebody is gone. @param {string} connectionId */
  left(connectionId) {
    for (const { senders } of this.#published.values()) {
      for (const [key, sender] of [...senders]) {
        if (sender.to !== connectionId) continue
        sender.close()
        senders.delete(key)
      }
    }
  }

  /** Looks for new ways through the network. */
  restart() {
    for (const streamId of this.#published.keys()) {
      for (const sender of this.senders(streamId)) sender.restart()
    }
    for (const receiver of this.#deliveries.values()) receiver.restart()
  }

  /** Whether all that is to flow can. @returns {boolean} */
  get isConnected() {
    const senders = [...this.#published.keys()].flatMap((id) => this.senders(id))
    return [...senders, ...this.#deliveries.values()].every(({ state }) => state === 'connected')
  }

  /** Ends what this client sends. What it receives is ended by those who show it. */
  close() {
    for (const streamId of [...this.#published.keys()]) this.unpublish(streamId)
  }

  /**
   * @param {any} message
   * @param {boolean} toPublisher
   * @param {() => void} gone the other side is not there any more
   */
  #send(message, toPublisher, gone) {
    if (message.to === this.#options.own) {
      // One's own stream, looked at for a test: no detour.
      const event = { ...message, from: message.to }
      setTimeout(() => (toPublisher ? this.#hearSubscriber(event) : this.#hearPublisher(event)), 0)
      return
    }
    this.#tell(message, gone)
  }

  /** @param {any} message @param {() => void} gone */
  async #tell(message, gone) {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      try {
        await this.#options.request(message)
        return
      } catch (/** @type {any} */ error) {
        if (GONE.includes(error?.name)) gone()
        if (error?.name !== 'OT_RATE_LIMIT_EXCEEDED') return
        await new Promise((resolve) => setTimeout(resolve, attempt * PATIENCE_MS))
      }
    }
  }
}

/** What is wanted, without what else is in the message. @param {any} event @returns {Want} */
function wantOf(event) {
  /** @type {any} */
  const want = {}
  for (const key of ['audio', 'video', 'height', 'frameRate', 'restart']) {
    if (event[key] !== undefined && event[key] !== null) want[key] = event[key]
  }
  return want
}
