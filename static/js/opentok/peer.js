/**
 * @file The one RTCPeerConnection of a session. The client always offers, so offers never cross.
 *
 * Nothing is negotiated before the first stream is published or subscribed to. One negotiation runs at a time;
 * whatever is asked for meanwhile goes into the next one. A stream is shown in a *slot*, a pair of m-lines that is
 * negotiated once and used again, so that most subscriptions need no negotiation.
 */

import { OpenTokError } from './errors.js'
import { Slots } from './slots.js'

/** @import { Kind, Offer, PublishedTrack } from './messages.js' */

/** `disconnected` is often a moment of bad radio; after this time it is taken for a changed path. */
const DISCONNECTED_MS = 3000

/** ICE restarts are not tried more often than this. */
const RESTART_PAUSE_MS = 3000

/** A server that does not answer an offer for so long will not. */
const ANSWER_TIMEOUT_MS = 15_000

/**
 * Refusals of an offer that pass: a stream in it was ended by a moderator, which is about to be told; or there were
 * too many offers in a second.
 */
const PASSING = ['OT_STREAM_NOT_FOUND', 'OT_RATE_LIMIT_EXCEEDED']
const ATTEMPTS = 4
const PATIENCE_MS = 300

/** A first connection that takes longer has no way through the network. */
export const CONNECT_TIMEOUT_MS = 20_000

/**
 * @typedef {object} Outgoing
 * @property {Kind} kind
 * @property {MediaStreamTrack | null} track null: to be filled later by `replaceTrack`
 * @property {RTCRtpEncodingParameters[]} [encodings]
 */

/** @typedef {{ audio: RTCRtpTransceiver, video: RTCRtpTransceiver, negotiated: boolean }} ReceiveSlot */

/**
 * What a peer connection is made with.
 *
 * @typedef {object} Options
 * @property {() => RTCPeerConnection} createConnection
 * @property {(makeOffer: () => Offer | null) => Promise<{ generation: number, sdp: string }>} sendOffer calls
 *   `makeOffer` each time it sends (null: the offer is not wanted any more), and rejects when the server refuses
 * @property {(state: RTCPeerConnectionState) => void} [onState]
 * @property {boolean} [receives] false: never any slots (a token that may only publish)
 * @property {(kind: Kind) => any[]} [codecs] those to offer; empty: the browser's own choice
 * @property {() => MediaStream} [createStream]
 */

export class Peer {
  #options
  /** @type {RTCPeerConnection | null} */
  #connection = null
  #generation = 0
  /** @type {Map<RTCRtpTransceiver, { streamId: string, kind: Kind }>} */
  #sending = new Map()
  /** @type {ReceiveSlot[]} */
  #receiving = []
  #slots = new Slots()

  /** Who waits for the next negotiation. @type {{ resolve: () => void, reject: (error: any) => void }[]} */
  #waiting = []
  #negotiating = false
  /** Ends the wait for an answer. @type {(error: OpenTokError) => void} */
  #giveUp = () => {}
  #closed = false

  /** @type {any} */
  #restartTimer = null
  #restartedAt = Number.NEGATIVE_INFINITY
  /** @type {Set<() => void>} */
  #stateWatchers = new Set()

  /** @param {Options} options */
  constructor(options) {
    this.#options = options
  }

  /** `new` before the first negotiation. @returns {RTCPeerConnectionState} */
  get state() {
    return this.#connection?.connectionState ?? 'new'
  }

  /**
   * Sends tracks as a stream the server knows already.
   *
   * @param {string} streamId
   * @param {Outgoing[]} tracks
   * @returns {Promise<Partial<Record<Kind, RTCRtpTransceiver>>>} once the server has answered
   */
  async publish(streamId, tracks) {
    const connection = this.#open()
    const stream = this.#options.createStream?.()
    /** @type {Partial<Record<Kind, RTCRtpTransceiver>>} */
    const made = {}
    for (const { kind, track, encodings } of tracks) {
      const transceiver = connection.addTransceiver(track ?? kind, {
        direction: 'sendonly',
        ...(stream && { streams: [stream] }),
        ...(encodings && { sendEncodings: encodings }),
      })
      this.#preferCodecs(transceiver, kind)
      this.#sending.set(transceiver, { streamId, kind })
      made[kind] = transceiver
    }
    try {
      await this.#negotiate()
    } catch (error) {
      this.#stopSending(streamId)
      throw error
    }
    return made
  }

  /**
   * Stops sending a stream. The m-lines are used again by the next one.
   *
   * @param {string} streamId
   */
  unpublish(streamId) {
    if (this.#stopSending(streamId)) this.#negotiate().catch(() => {})
  }

  /**
   * A slot that shows nothing yet, negotiated.
   *
   * @returns {Promise<{ slot: number, audio: RTCRtpReceiver, video: RTCRtpReceiver }>}
   */
  async takeSlot() {
    this.#open()
    this.#addSlots()
    const slot = this.#slots.take()
    if (slot === null) {
      throw new OpenTokError(
        1501,
        'OT_STREAM_LIMIT_EXCEEDED',
        'Too many streams are subscribed to.',
      )
    }
    const { audio, video, negotiated } = /** @type {ReceiveSlot} */ (this.#receiving[slot])
    try {
      if (!negotiated) await this.#negotiate()
    } catch (error) {
      this.#slots.free(slot)
      throw error
    }
    return { slot, audio: audio.receiver, video: video.receiver }
  }

  /** @param {number} slot */
  freeSlot(slot) {
    this.#slots.free(slot)
  }

  /**
   * Resolves when media can flow.
   *
   * @param {number} [timeout] ms
   * @returns {Promise<boolean>} false: they cannot
   */
  connected(timeout = CONNECT_TIMEOUT_MS) {
    return new Promise((resolve) => {
      const finish = (/** @type {boolean} */ outcome) => {
        this.#stateWatchers.delete(check)
        clearTimeout(timer)
        resolve(outcome)
      }
      const check = () => {
        if (this.state === 'connected') finish(true)
        else if (this.#closed) finish(false)
      }
      const timer = setTimeout(() => finish(false), timeout)
      this.#stateWatchers.add(check)
      check()
    })
  }

  /** Looks for a new path through the network. */
  restart() {
    this.#stopRestartTimer()
    if (!this.#connection || this.#closed || this.#generation === 0) return
    const pause = this.#restartedAt + RESTART_PAUSE_MS - performance.now()
    if (pause > 0) {
      this.#restartIn(pause)
      return
    }
    this.#restartedAt = performance.now()
    this.#connection.restartIce()
    this.#negotiate().catch(() => this.#restartIn(RESTART_PAUSE_MS))
  }

  close() {
    if (this.#closed) return
    this.#closed = true
    this.#stopRestartTimer()
    this.#connection?.close()
    this.#giveUp(closed())
    for (const { reject } of this.#waiting.splice(0)) reject(closed())
    for (const check of [...this.#stateWatchers]) check()
  }

  /** @returns {RTCPeerConnection} */
  #open() {
    if (this.#closed) throw closed()
    if (this.#connection) return this.#connection
    const connection = this.#options.createConnection()
    this.#connection = connection
    connection.onconnectionstatechange = () => this.#stateChanged()
    if (this.#options.receives !== false) this.#addSlots()
    return connection
  }

  /** Makes slots if none is free. */
  #addSlots() {
    const connection = /** @type {RTCPeerConnection} */ (this.#connection)
    for (let missing = this.#slots.missing; missing > 0; missing -= 1) {
      const audio = connection.addTransceiver('audio', { direction: 'recvonly' })
      const video = connection.addTransceiver('video', { direction: 'recvonly' })
      this.#preferCodecs(audio, 'audio')
      this.#preferCodecs(video, 'video')
      this.#receiving[this.#slots.add()] = { audio, video, negotiated: false }
    }
  }

  /**
   * @param {RTCRtpTransceiver} transceiver
   * @param {Kind} kind
   */
  #preferCodecs(transceiver, kind) {
    const codecs = this.#options.codecs?.(kind) ?? []
    if (codecs.length > 0) transceiver.setCodecPreferences?.(codecs)
  }

  /** @param {string} streamId */
  #stopSending(streamId) {
    let any = false
    for (const [transceiver, { streamId: of }] of [...this.#sending]) {
      if (of !== streamId) continue
      any = true
      this.#sending.delete(transceiver)
      if (!this.#closed) transceiver.stop()
    }
    return any
  }

  /** @returns {Promise<void>} once a negotiation that began after this call is done */
  #negotiate() {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(closed())
        return
      }
      this.#waiting.push({ resolve, reject })
      if (!this.#negotiating) this.#run()
    })
  }

  async #run() {
    this.#negotiating = true
    // Streams that appear together go into one offer.
    await new Promise((resolve) => setTimeout(resolve, 0))
    while (this.#waiting.length > 0) {
      const served = this.#waiting.splice(0)
      try {
        await this.#exchangeWithPatience()
        for (const { resolve } of served) resolve()
      } catch (error) {
        for (const { reject } of served) reject(error)
      }
    }
    this.#negotiating = false
  }

  /** Refusals that pass by themselves are no reason to give up. */
  async #exchangeWithPatience() {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#exchange()
        return
      } catch (/** @type {any} */ error) {
        if (this.#closed || attempt === ATTEMPTS || !PASSING.includes(error?.name)) throw error
        await new Promise((resolve) => setTimeout(resolve, attempt * PATIENCE_MS))
      }
    }
  }

  async #exchange() {
    const connection = this.#connection
    if (this.#closed || !connection) throw closed()
    const slots = [...this.#receiving]
    await connection.setLocalDescription(await connection.createOffer())
    try {
      const { generation, sdp } = await this.#ask(connection, slots)
      if (this.#closed) throw closed()
      if (generation !== this.#generation) throw unexpected('The answer belongs to another offer.')
      await connection.setRemoteDescription({ type: 'answer', sdp })
    } catch (error) {
      if (!this.#closed && connection.signalingState === 'have-local-offer') {
        await connection.setLocalDescription({ type: 'rollback' })
      }
      throw error
    }
    for (const slot of slots) slot.negotiated = true
  }

  /**
   * Sends the offer. The time for the answer counts from when it was first sent, not while it waits for a socket.
   *
   * @param {RTCPeerConnection} connection
   * @param {ReceiveSlot[]} slots
   * @returns {Promise<{ generation: number, sdp: string }>}
   */
  #ask(connection, slots) {
    return new Promise((resolve, reject) => {
      /** @type {any} */
      let timer = null
      let waiting = true
      this.#giveUp = (error) => {
        waiting = false
        clearTimeout(timer)
        reject(error)
      }
      const late = () => {
        this.#giveUp(
          new OpenTokError(1021, 'OT_TIMEOUT', 'The server did not answer the offer in time.'),
        )
      }
      const makeOffer = () => {
        if (!waiting) return null
        timer ??= setTimeout(late, ANSWER_TIMEOUT_MS)
        return this.#describe(connection, slots)
      }
      this.#options
        .sendOffer(makeOffer)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer))
    })
  }

  /**
   * The offer as it is sent, each time under a new number: an answer that was lost with its socket is asked for again.
   *
   * @param {RTCPeerConnection} connection
   * @param {ReceiveSlot[]} slots
   * @returns {Offer}
   */
  #describe(connection, slots) {
    this.#generation += 1
    /** @type {PublishedTrack[]} */
    const tracks = []
    for (const [{ mid, currentDirection }, { streamId, kind }] of this.#sending) {
      if (mid !== null && currentDirection !== 'stopped') tracks.push({ mid, streamId, kind })
    }
    return {
      generation: this.#generation,
      sdp: connection.localDescription?.sdp ?? '',
      tracks,
      slots: slots.map(({ audio, video }, slot) => ({
        slot,
        audioMid: audio.mid ?? '',
        videoMid: video.mid ?? '',
      })),
    }
  }

  #stateChanged() {
    if (this.#closed) return
    const state = this.state
    if (state === 'failed') this.restart()
    else if (state === 'disconnected') this.#restartIn(DISCONNECTED_MS)
    else if (state === 'connected') this.#stopRestartTimer()
    for (const check of [...this.#stateWatchers]) check()
    this.#options.onState?.(state)
  }

  /** @param {number} ms */
  #restartIn(ms) {
    this.#stopRestartTimer()
    this.#restartTimer = setTimeout(() => {
      if (this.state !== 'connected') this.restart()
    }, ms)
  }

  #stopRestartTimer() {
    clearTimeout(this.#restartTimer)
    this.#restartTimer = null
  }
}

function closed() {
  return new OpenTokError(1010, 'OT_DISCONNECTED', 'The session was disconnected.')
}

/** @param {string} message */
function unexpected(message) {
  return new OpenTokError(2001, 'OT_UNEXPECTED_SERVER_RESPONSE', message)
}
