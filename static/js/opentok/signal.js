/** @file Signals: what a page may send, checked before it is sent, so that the fault has a name. */

import { OpenTokError } from './errors.js'

/** @import { ClientMessage } from './messages.js' */

const TYPE = /^[A-Za-z0-9\-._~]+$/
const TYPE_LIMIT = 128
/** Bytes of JSON text. */
const DATA_LIMIT = 8192

/**
 * @param {any} signal `{ type?, data?, to? }`
 * @param {(to: any) => string | undefined | null} addressOf the connection id of a `to`; undefined: everyone; null: no
 *   such thing
 * @returns {Extract<ClientMessage, { type: 'signal' }>}
 */
export function signalMessage(signal, addressOf) {
  const { type, data, to } = signal ?? {}
  for (const property of ['type', 'data', 'to']) {
    // Left out is fine; there and empty is a mistake worth telling.
    if (signal && property in signal && signal[property] == null) {
      throw invalid(400, `The signal's "${property}" is ${signal[property]}; leave it out instead.`)
    }
  }
  if (type !== undefined) {
    if (typeof type !== 'string' || !TYPE.test(type)) {
      throw invalid(400, 'A signal type has letters, digits, and - . _ ~ only.')
    }
    if (type.length > TYPE_LIMIT) {
      throw invalid(413, `A signal type has at most ${TYPE_LIMIT} characters.`)
    }
  }
  const address = to === undefined ? undefined : addressOf(to)
  if (address === null) throw invalid(400, 'A signal goes to a Connection of its session.')
  if (data !== undefined && sizeOf(data) > DATA_LIMIT) {
    throw invalid(413, `The data of a signal has at most ${DATA_LIMIT} bytes.`)
  }
  return {
    type: 'signal',
    ...(type !== undefined && { signalType: type }),
    ...(data !== undefined && { data }),
    ...(address !== undefined && { to: address }),
  }
}

/** @param {unknown} data */
function sizeOf(data) {
  try {
    return new TextEncoder().encode(JSON.stringify(data) ?? '').length
  } catch {
    throw invalid(400, 'The data of a signal must be JSON.')
  }
}

/**
 * @param {number} code
 * @param {string} message
 */
function invalid(code, message) {
  return new OpenTokError(code, 'OT_INVALID_PARAMETER', message)
}
