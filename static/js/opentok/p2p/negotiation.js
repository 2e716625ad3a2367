/**
 * @file Media from browser to browser: a peer connection for each subscriber of each stream, and the messages between
 * the two sides, which the server hands on.
 */

import { P2pReceiver } from './receiver.js'
import { P2pSender } from './sender.js'

/** @import { Kind, ServerEvent, Want } from '../messages.js' */
/** @import { Outgoing } from '../peer.js' */

/** @typedef {Extract<ServerEvent, { from: string, streamId: string, pair: number }>} PeerEvent */

/** Delay before a rate-limited message is sent again; it grows by this much with each attempt. */
const RETRY_DELAY_MS = 500
const ATTEMPTS = 4

/** Errors that say that the other side or the stream is gone, so this side of the pair is closed, too. */
const GONE = ['OT_NOT_FOUND', 'OT_STREAM_NOT_FOUND']

/**
 * @typedef {object} Options
 * @property {string} own this client's connection
 * @property {(message: any) => Promise<any>} request rejected when the server refuses
 * @property {() => RTCPeerConnection} createConnection
 * @property {() => MediaStream} [createStream]
 * @property {() => boolean} reachable whether the server can be reached
 * @property {(streamId: string) => void} failed called when two browsers could not connect
 */

export class P2pNegotiator {
  #options
  #lastPair = 0
  /** This client's streams. @type {Map<string, { tracks: Outgoing[], senders: Map<string, P2pSender> }>} */
  #published = new Map()
  /** Subscriptions by pair number. @type {Map<number, P2pReceiver>} */
  #receivers = new Map()

  /** @param {Options} options */
  constructor(options) {
    this.#options = options
  }

  /**
   * Registers a stream. It is sent to each connection that asks for it.
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
   * Replaces a track at all receivers.
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

  /** The senders of a stream, one for each of its receivers. @param {string} streamId @returns {P2pSender[]} */
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
    const close = (/** @type {boolean} */ notify) => {
      if (!this.#receivers.delete(pair)) return
      receiver.close()
      if (notify) send({ type: 'peer.bye' })
    }
    this.#receivers.set(pair, receiver)
    receiver.ask(want)
    return { receiver, close: () => close(true) }
  }

  /** @param {PeerEvent} event */
  handle(event) {
    const toPublisher = this.#published.has(event.streamId)
    if (toPublisher) this.#onSubscriberEvent(event)
    else this.#onPublisherEvent(event)
  }

  /** @param {PeerEvent} event */
  #onSubscriberEvent(event) {
    const { from, streamId, pair } = event
    const published = this.#published.get(streamId)
    if (!published) return
    const key = `${from} ${pair}`
    const sender = published.senders.get(key)
    switch (event.type) {
      case 'peer.want':
        if (sender) sender.want(wantOf(event))
        else this.#addSender(streamId, published, key, event)
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
  #addSender(streamId, published, key, { from: to, pair, ...want }) {
    const remove = () => {
      sender.close()
      published.senders.delete(key)
    }
    const sender = new P2pSender(published.tracks, {
      to,
      connection: this.#options.createConnection(),
      stream: this.#options.createStream?.(),
      send: (/** @type {any} */ message) =>
        this.#send({ to, streamId, pair, ...message }, false, remove),
      failed: () => this.#options.failed(streamId),
      reachable: this.#options.reachable,
    })
    published.senders.set(key, sender)
    sender.want(wantOf(want))
    sender.offer()
  }

  /** @param {PeerEvent} event */
  #onPublisherEvent(event) {
    const receiver = this.#receivers.get(event.pair)
    if (!receiver || receiver.to !== event.from) return
    if (event.type === 'peer.sdp' && event.description.type === 'offer') {
      receiver.offered(event.description)
    } else if (event.type === 'peer.ice') {
      receiver.takeCandidates(event.candidates)
    }
  }

  /** Closes the senders to a connection that has left. @param {string} connectionId */
  left(connectionId) {
    for (const { senders } of this.#published.values()) {
      for (const [key, sender] of [...senders]) {
        if (sender.to !== connectionId) continue
        sender.close()
        senders.delete(key)
      }
    }
  }

  /** Restarts ICE on all connections. */
  restart() {
    for (const streamId of this.#published.keys()) {
      for (const sender of this.senders(streamId)) sender.restart()
    }
    for (const receiver of this.#receivers.values()) receiver.restart()
  }

  /** Whether all peer connections are connected. @returns {boolean} */
  get isConnected() {
    const senders = [...this.#published.keys()].flatMap((id) => this.senders(id))
    return [...senders, ...this.#receivers.values()].every(({ state }) => state === 'connected')
  }

  /** Unpublishes all streams. Subscriptions are closed by their subscribers. */
  close() {
    for (const streamId of [...this.#published.keys()]) this.unpublish(streamId)
  }

  /**
   * @param {any} message
   * @param {boolean} toPublisher
   * @param {() => void} gone called when the other side or the stream is gone
   */
  #send(message, toPublisher, gone) {
    if (message.to === this.#options.own) {
      // A client that subscribes to its own stream needs no server in between.
      const event = { ...message, from: message.to }
      setTimeout(
        () => (toPublisher ? this.#onSubscriberEvent(event) : this.#onPublisherEvent(event)),
        0,
      )
      return
    }
    this.#request(message, gone)
  }

  /** @param {any} message @param {() => void} gone */
  async #request(message, gone) {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      try {
        await this.#options.request(message)
        return
      } catch (/** @type {any} */ error) {
        if (GONE.includes(error?.name)) gone()
        if (error?.name !== 'OT_RATE_LIMIT_EXCEEDED') return
        await new Promise((resolve) => setTimeout(resolve, attempt * RETRY_DELAY_MS))
      }
    }
  }
}

/** The fields of a message that describe the wanted media. @param {any} event @returns {Want} */
function wantOf(event) {
  /** @type {any} */
  const want = {}
  for (const key of ['audio', 'video', 'height', 'frameRate', 'restart']) {
    if (event[key] !== undefined && event[key] !== null) want[key] = event[key]
  }
  return want
}
