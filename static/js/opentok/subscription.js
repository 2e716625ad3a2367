/**
 * @file A stream that this client shows, whichever way its media come. What shows it holds on to one object, and to one
 * `MediaStream`, when the way changes: the tracks in it are exchanged as soon as the new ones bring something.
 */

import { OpenTokError } from './errors.js'
import { CONNECT_TIMEOUT_MS } from './peer.js'

/** @import { Wanted } from './messages.js' */
/** @import { Peer } from './peer.js' */
/** @import { P2pNegotiator } from './p2p/negotiation.js' */

/** How long the old way is kept for the new one to bring something. */
const OVERLAP_MS = 3000

/**
 * @typedef {object} Ways
 * @property {Peer} peer
 * @property {P2pNegotiator} p2p
 * @property {(message: any) => Promise<any>} request
 */

/**
 * One way by which a stream comes.
 *
 * @typedef {object} Way
 * @property {RTCRtpReceiver} audio
 * @property {RTCRtpReceiver} video
 * @property {() => RTCPeerConnectionState} state
 * @property {(change: Wanted) => void} update
 * @property {() => void} close
 */

export class Subscription {
  streamId
  /** Its tracks. */
  media = new MediaStream()
  /** Called when the tracks were exchanged for others. */
  onExchange = () => {}

  #ways
  #wanted
  #onState
  /** @type {Way | null} */
  #way = null
  #closed = false
  /** Ends a way that has not come about. */
  #abandon = () => {}
  /** @type {Set<() => void>} */
  #watchers = new Set()

  /**
   * @param {string} streamId
   * @param {Wanted} wanted
   * @param {(state: RTCPeerConnectionState) => void} onState
   * @param {Ways} ways
   */
  constructor(streamId, wanted, onState, ways) {
    this.streamId = streamId
    this.#wanted = wanted
    this.#onState = onState
    this.#ways = ways
  }

  /** @returns {RTCRtpReceiver | undefined} */
  get audio() {
    return this.#way?.audio
  }

  /** @returns {RTCRtpReceiver | undefined} */
  get video() {
    return this.#way?.video
  }

  /** Takes the stream from its publisher. @param {string} publisher connection id */
  async useP2p(publisher) {
    const { receiver, close } = this.#ways.p2p.subscribe(
      this.streamId,
      publisher,
      this.#wanted,
      (state) => {
        if (!this.#way || this.#way.update === update) this.stateChanged(state)
      },
    )
    const update = (/** @type {Wanted} */ change) => receiver.ask(change)
    this.#abandon = close
    const { audio, video } = await receiver.receivers
    if (this.#closed) throw ended()
    this.#take({ audio, video, state: () => receiver.state, update, close })
    this.stateChanged(receiver.state)
  }

  /** Takes the stream from the server. */
  async route() {
    const { peer, request } = this.#ways
    const { slot, audio, video } = await peer.takeSlot()
    const wanted = this.#wanted
    try {
      if (this.#closed) throw ended()
      await request({ type: 'subscribe', slot, streamId: this.streamId, ...wanted })
    } catch (error) {
      peer.freeSlot(slot)
      throw error
    }
    const tell = (/** @type {any} */ message) => request(message).catch(() => {})
    const way = {
      audio,
      video,
      state: () => peer.state,
      update: (/** @type {Wanted} */ change) =>
        tell({ type: 'updateSubscription', slot, ...change }),
      close: () => {
        tell({ type: 'unsubscribe', slot })
        peer.freeSlot(slot)
      },
    }
    if (this.#closed) {
      way.close()
      throw ended()
    }
    if (this.#wanted !== wanted) way.update(this.#wanted)
    if (this.#way) await this.#firstMedia(way)
    if (this.#closed) {
      way.close()
      throw ended()
    }
    const former = this.#way
    this.#take(way)
    former?.close()
    this.stateChanged(peer.state)
  }

  /** Gives up waiting for the publisher's browser. */
  abandon() {
    if (!this.#way) this.#abandon()
  }

  /** @param {Wanted} change */
  update(change) {
    if (this.#closed) return
    this.#wanted = { ...this.#wanted, ...change }
    this.#way?.update(change)
  }

  /** @param {RTCPeerConnectionState} state */
  stateChanged(state) {
    if (this.#closed) return
    for (const check of [...this.#watchers]) check()
    this.#onState(state)
  }

  /** @returns {Promise<boolean>} whether media can flow, as soon as that is known */
  connected() {
    return new Promise((resolve) => {
      const finish = (/** @type {boolean} */ outcome) => {
        this.#watchers.delete(check)
        clearTimeout(timer)
        resolve(outcome)
      }
      const check = () => {
        if (this.#closed) finish(false)
        else if (this.#way?.state() === 'connected') finish(true)
      }
      const timer = setTimeout(() => finish(false), CONNECT_TIMEOUT_MS)
      this.#watchers.add(check)
      check()
    })
  }

  close() {
    if (this.#closed) return
    this.#closed = true
    if (this.#way) this.#way.close()
    else this.#abandon()
    for (const check of [...this.#watchers]) check()
  }

  /** @param {Way} way */
  #take(way) {
    this.#way = way
    const former = this.media.getTracks()
    for (const { track } of [way.audio, way.video]) this.media.addTrack(track)
    for (const track of former) this.media.removeTrack(track)
    if (former.length > 0) this.onExchange()
  }

  /** Waits, but not for long, until a way brings what the one before does. @param {Way} way */
  #firstMedia({ audio, video }) {
    const former = this.#way
    const awaited = [
      { track: video.track, before: former?.video.track },
      { track: audio.track, before: former?.audio.track },
    ].find(({ before }) => before && !before.muted)?.track
    return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      if (!awaited?.muted) {
        resolve()
        return
      }
      const timer = setTimeout(resolve, OVERLAP_MS)
      awaited.addEventListener(
        'unmute',
        () => {
          clearTimeout(timer)
          resolve()
        },
        { once: true },
      )
    })
  }
}

function ended() {
  return new OpenTokError(1501, 'OT_STREAM_DESTROYED', 'The subscription ended before it began.')
}
