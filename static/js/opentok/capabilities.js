/** @file What a role may do. The server decides for itself; this is what pages are told. */

import { OpenTokError } from './errors.js'

/** @import { Role } from './messages.js' */

/** @typedef {'publish' | 'subscribe' | 'forceUnpublish' | 'forceDisconnect' | 'forceMute'} Action */

/** The roles that each action takes. */
const NEEDED = {
  publish: 'at least `publisher`',
  subscribe: 'other than `publisheronly`',
  forceUnpublish: '`moderator`',
  forceDisconnect: '`moderator`',
  forceMute: '`moderator`',
}

/**
 * Each is 1 or 0.
 *
 * @typedef {{ connect: number, publish: number, subscribe: number, forceUnpublish: number,
 *   forceDisconnect: number, forceMute: number, signal: number, supportsWebRTC: number,
 *   permittedTo(action: string): boolean }} Capabilities
 */

/**
 * @param {Role | null} role null before connecting: nothing is allowed
 * @returns {Capabilities}
 */
export function capabilitiesOf(role) {
  const yes = (/** @type {boolean} */ allowed) => (allowed ? 1 : 0)
  const moderator = yes(role === 'moderator')
  return {
    connect: 1,
    publish: yes(role !== null && role !== 'subscriber'),
    subscribe: yes(role !== null && role !== 'publisheronly'),
    forceUnpublish: moderator,
    forceDisconnect: moderator,
    forceMute: moderator,
    signal: yes(role !== null && role !== 'publisheronly'),
    supportsWebRTC: yes('RTCPeerConnection' in globalThis),
    /** @param {string} action */
    permittedTo(action) {
      return /** @type {any} */ (this)[action] === 1
    },
  }
}

/**
 * @param {Capabilities} capabilities
 * @param {Action} action
 * @param {number} code of the refusal
 * @returns {OpenTokError | null} null: it may be done
 */
export function mayNot(capabilities, action, code) {
  if (capabilities[action]) return null
  const message = `This token may not do that; its role must be ${NEEDED[action]}.`
  return new OpenTokError(code, 'OT_PERMISSION_DENIED', message)
}
