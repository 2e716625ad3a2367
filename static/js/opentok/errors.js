/** @file The errors a page can meet: code, name and a sentence, as OpenTok has them. */

import { Events, later, OTEvent } from './events.js'
import { log } from './log.js'

/** What each code is about; the `title` of an exception event. */
const TITLES = /** @type {Record<number, string>} */ ({
  1004: 'Authentication error',
  1005: 'Invalid Session ID',
  1006: 'Connect Failed',
  1007: 'Connect Rejected',
  1008: 'Connect Time-out',
  1009: 'Security Error',
  1010: 'Not Connected',
  1011: 'Invalid Parameter',
  1012: 'Peer-to-peer Stream Play Failed',
  1013: 'Connection Failed',
  1014: 'API Response Failure',
  1015: 'PeerConnection not connected',
  1021: 'Request Timeout',
  1026: 'Terms of Service Violation: Export Compliance',
  1027: 'Connection Limit Exceeded',
  1040: 'Set Video Source Failure',
  1041: 'Set Video Source Invalid',
  1500: 'Unable to Publish',
  1501: 'Unable to Subscribe',
  1502: 'Unsupported Codec',
  1520: 'Unable to Force Disconnect',
  1530: 'Unable to Force Unpublish',
  1540: 'Unable to Force Mute',
  1553: 'Publisher ICE Workflow Failed',
  1554: 'Subscriber ICE Workflow Failed',
  1605: 'Stream Limit Exceeded',
  2000: 'Internal Error',
  2001: 'Unexpected Server Response',
  4000: 'WebSocket Connection Failed',
  4001: 'WebSocket Network Disconnected',
})

/** Why something that a page asked for did not happen. */
export class OpenTokError extends Error {
  /**
   * @param {number} code
   * @param {string} name `OT_…`
   * @param {string} message a sentence for the page's developer
   */
  constructor(code, name, message) {
    super(message)
    this.code = code
    this.name = name
  }

  /** The message again: some pages read it by this name. */
  get reason() {
    return this.message
  }
}

/**
 * Whatever was thrown, as an error with a code and a name.
 *
 * @param {any} thrown
 * @param {number} [code] of an error that has none
 * @param {string} [name]
 * @returns {OpenTokError}
 */
export function asOpenTokError(thrown, code = 2000, name = 'OT_UNEXPECTED_SERVER_RESPONSE') {
  if (thrown instanceof OpenTokError) return thrown
  return new OpenTokError(
    typeof thrown?.code === 'number' && thrown.code >= 400 ? thrown.code : code,
    typeof thrown?.name === 'string' && thrown.name.startsWith('OT_') ? thrown.name : name,
    String(thrown?.message ?? thrown),
  )
}

/** Raises `exception` for every error reported by {@link fail}; `OT.on` listens here. */
export const exceptions = new Events()

/** Those that raised it; one error may reach several callbacks. @type {WeakSet<OpenTokError>} */
const raised = new WeakSet()

/**
 * Tells the page's callback and the listeners of `exception`, both outside the caller's stack.
 *
 * @param {any} thrown
 * @param {((error: OpenTokError) => void) | null | undefined} callback
 * @param {unknown} target what the error is about
 * @returns {OpenTokError}
 */
export function fail(thrown, callback, target) {
  const error = asOpenTokError(thrown)
  const { code, message } = error
  const first = !raised.has(error)
  raised.add(error)
  later(() => {
    if (!first) return
    log.warn(`${error.name} (${code}): ${message}`)
    const title = TITLES[code] ?? 'Internal Error'
    exceptions.dispatchEvent(new OTEvent('exception', { code, message, title, target }))
  })
  if (typeof callback === 'function') later(() => callback(error))
  return error
}

/**
 * A promise that also calls back, and that stays quiet in the console when it does.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {any} callback `callback(error)` or `callback(undefined, value)`; may be absent
 * @returns {Promise<T>}
 */
export function answering(promise, callback) {
  if (typeof callback !== 'function') return promise
  promise.then(
    (value) => later(() => callback(undefined, value)),
    (error) => later(() => callback(error)),
  )
  return promise
}
