/**
 * @file Media from browser to browser: a peer connection for each subscriber of each stream, and the messages between
 * the two sides, which the server hands on.
 */

import { Delivery } from './receiver.js'
import { Shipment } from './sender.js'

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

export class Relay {
  #options
  #lastPair = 0
  /** This client's streams. @type {Map<string, { tracks: Outgoing[], shipments: Map<string, Shipment> }>} */
  #published = new Map()
  /** What it subscribes to, by the number of the pair. @type {Map<number, Delivery>} */
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
    this.#published.set(streamId, { tracks, shipments: new Map() })
  }

  /** @param {string} streamId */
  unpublish(streamId) {
    for (const shipment of this.shipments(streamId)) shipment.close()
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
    await Promise.all(this.shipments(streamId).map((each) => each.replaceTrack(kind, track)))
  }

  /** Those who receive a stream. @param {string} streamId @returns {Shipment[]} */
  shipments(streamId) {
    return [...(this.#published.get(streamId)?.shipments.values() ?? [])]
  }

  /**
   * Asks a publisher for a stream.
   *
   * @param {string} streamId
   * @param {string} to its publisher's connection
   * @param {Want} want
   * @param {(state: RTCPeerConnectionState) => void} onState
   * @returns {{ delivery: Delivery, close: () => void }}
   */
  subscribe(streamId, to, want, onState) {
    this.#lastPair += 1
    const pair = this.#lastPair
    const send = (/** @type {any} */ message) =>
      this.#send({ to, streamId, pair, ...message }, true, () => close(false))
    const delivery = new Delivery({
      to,
      connection: this.#options.createConnection(),
      send,
      onState,
      failed: () => this.#options.failed(streamId),
      reachable: this.#options.reachable,
    })
    const close = (/** @type {boolean} */ tell) => {
      if (!this.#deliveries.delete(pair)) return
      delivery.close()
      if (tell) send({ type: 'peer.bye' })
    }
    this.#deliveries.set(pair, delivery)
    delivery.ask(want)
    return { delivery, close: () => close(true) }
  }

  /** @param {PeerEvent} event */
  hear(event) {
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
    const shipment = published.shipments.get(key)
    switch (event.type) {
      case 'peer.want':
        if (shipment) shipment.want(wantOf(event))
        else this.#ship(streamId, published, key, event)
        break
      case 'peer.sdp':
        if (event.description.type === 'answer') shipment?.answered(event.description)
        break
      case 'peer.ice':
        shipment?.takeCandidates(event.candidates)
        break
      case 'peer.bye':
        shipment?.close()
        published.shipments.delete(key)
        break
    }
  }

  /**
   * @param {string} streamId
   * @param {{ tracks: Outgoing[], shipments: Map<string, Shipment> }} published
   * @param {string} key
   * @param {Extract<PeerEvent, { type: 'peer.want' }>} want
   */
  #ship(streamId, published, key, { from: to, pair, ...want }) {
    const forget = () => {
      shipment.close()
      published.shipments.delete(key)
    }
    const shipment = new Shipment(published.tracks, {
      to,
      connection: this.#options.createConnection(),
      stream: this.#options.createStream?.(),
      send: (/** @type {any} */ message) =>
        this.#send({ to, streamId, pair, ...message }, false, forget),
      failed: () => this.#options.failed(streamId),
      reachable: this.#options.reachable,
    })
    published.shipments.set(key, shipment)
    shipment.want(wantOf(want))
    shipment.offer()
  }

  /** @param {PeerEvent} event */
  #hearPublisher(event) {
    const delivery = this.#deliveries.get(event.pair)
    if (!delivery || delivery.to !== event.from) return
    if (event.type === 'peer.sdp' && event.description.type === 'offer') {
      delivery.offered(event.description)
    } else if (event.type === 'peer.ice') {
      delivery.takeCandidates(event.candidates)
    }
  }

  /** Somebody is gone. @param {string} connectionId */
  left(connectionId) {
    for (const { shipments } of this.#published.values()) {
      for (const [key, shipment] of [...shipments]) {
        if (shipment.to !== connectionId) continue
        shipment.close()
        shipments.delete(key)
      }
    }
  }

  /** Looks for new ways through the network. */
  restart() {
    for (const streamId of this.#published.keys()) {
      for (const shipment of this.shipments(streamId)) shipment.restart()
    }
    for (const delivery of this.#deliveries.values()) delivery.restart()
  }

  /** Whether all that is to flow can. @returns {boolean} */
  get isConnected() {
    const shipments = [...this.#published.keys()].flatMap((id) => this.shipments(id))
    return [...shipments, ...this.#deliveries.values()].every(({ state }) => state === 'connected')
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
