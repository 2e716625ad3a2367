/**
 * @file The connection to the presence session: made, kept, made again. What comes over it is handed on as it is.
 *
 * A socket that breaks is resumed by the library. When the session itself is gone (the server started again, or was
 * away for too long) a new token is asked for, ever more slowly.
 */

import { once } from '../ui/boot.js'
import { postJson } from '../ui/http.js'

/** @import { Problem } from '../ui/http.js' */
/** @import { BuddiesBoot, Delta, News } from './types.js' */

/** After a lost server: the first try, and the longest pause between tries. */
const RETRY_FIRST_MS = 500
const RETRY_LONGEST_MS = 10_000

/**
 * @typedef {object} Listener
 * @property {(isNew: boolean) => void} up connected, or back: everything may have changed; `isNew`: the server may have
 *   started again, and count deltas from 1
 * @property {() => void} down not connected now; tries go on
 * @property {(problem: Problem) => void} refused the server does not let us in under this name
 * @property {(delta: Delta) => void} delta
 * @property {(news: News) => void} news
 */

export class PresenceConnection {
  #boot
  #pageToken
  #listener
  /** @type {any} */
  #session = null
  #name = ''
  #pause = RETRY_FIRST_MS
  /** Ends the present life of the wire. */
  #life = new AbortController()

  /** @param {BuddiesBoot} boot @param {Listener} listener */
  constructor(boot, listener) {
    this.#boot = boot
    this.#pageToken = once(boot.token)
    this.#listener = listener
  }

  /** Our tab, as the server knows it. @returns {string} */
  get tab() {
    return this.#session?.connection?.connectionId ?? ''
  }

  /**
   * Connects under a name, instead of under the one before.
   *
   * @param {string} name
   * @throws {Problem} when the server does not take the name, or cannot be reached
   */
  async open(name) {
    this.#life.abort()
    this.#life = new AbortController()
    this.#name = name
    await this.#connect(this.#life.signal)
  }

  /** @param {AbortSignal} signal */
  async #connect(signal) {
    const { apiKey, sessionId } = this.#boot
    const own = this.#name === this.#boot.name ? this.#pageToken() : null
    const token = own ?? (await postJson('/users', { name: this.#name })).token
    if (signal.aborted) return
    // Where calls are on another platform, `OT` is that platform's.
    const { ParlorOT, OT: common } = /** @type {any} */ (globalThis)
    const OT = ParlorOT ?? common
    const session = OT.initSession(apiKey, sessionId, { connectionEventsSuppressed: true })
    session.off() // the same object comes back for the same session
    this.#session = session
    // With another name before.
    session.disconnect()
    while (session.currentState !== 'disconnected') await new Promise((done) => setTimeout(done, 0))
    if (signal.aborted) return
    this.#listen(session, signal)
    await new Promise((resolve, reject) => {
      session.connect(token, (/** @type {any} */ error) => (error ? reject(error) : resolve(null)))
    })
    if (signal.aborted) return
    this.#pause = RETRY_FIRST_MS
    this.#listener.up(true)
  }

  /** @param {any} session @param {AbortSignal} signal */
  #listen(session, signal) {
    const on = (/** @type {string} */ name, /** @type {(event: any) => void} */ run) =>
      session.on(name, (/** @type {any} */ event) => signal.aborted || run(event))
    // Whoever has a token may signal: only the server's signals come from nobody.
    on('signal:roster', ({ from, data }) => from || this.#listener.delta(JSON.parse(data)))
    on('signal:buddy', ({ from, data }) => from || this.#listener.news(JSON.parse(data)))
    on('sessionReconnecting', () => this.#listener.down())
    on('sessionReconnected', () => this.#listener.up(false))
    on('sessionDisconnected', ({ reason }) => {
      if (reason === 'clientDisconnected') return
      this.#listener.down()
      this.#retry(signal)
    })
  }

  /** @param {AbortSignal} signal */
  #retry(signal) {
    const attempt = async () => {
      if (signal.aborted) return
      try {
        await this.#connect(signal)
      } catch (/** @type {any} */ error) {
        if (signal.aborted) return
        if (error.status >= 400 && error.status < 500 && error.status !== 429) {
          return this.#listener.refused(error)
        }
        this.#retry(signal)
      }
    }
    // Not all at once, when the server is back.
    setTimeout(attempt, this.#pause * (0.7 + 0.6 * Math.random()))
    this.#pause = Math.min(this.#pause * 1.6, RETRY_LONGEST_MS)
  }
}
