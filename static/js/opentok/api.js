/** @file Everything a page finds under `OT`. */

import { publisherArguments, sessionArguments } from './arguments.js'
import { Connection } from './connection.js'
import {
  checkScreenSharingCapability,
  getActiveAudioOutputDevice,
  getAudioOutputDevices,
  getDevices,
  getSupportedCodecs,
  getUserMedia,
  setAudioOutputDevice,
  supportsWebRtc,
} from './devices.js'
import { exceptions, OpenTokError } from './errors.js'
import { Events, later } from './events.js'
import { uuid } from './ids.js'
import { LEVELS, log, setLogLevel } from './log.js'
import { unblockAudio } from './playback.js'
import { promisify } from './promisify.js'
import { Publisher } from './publisher.js'
import { Session } from './session.js'
import { Stream } from './stream.js'
import { Subscriber } from './subscriber.js'

/** The same id gives the same session. @type {Map<unknown, Session>} */
const sessions = new Map()

/**
 * `initSession(apiKey, sessionId, options?)` or `initSession(sessionId)`. Nothing is sent. Of the options,
 * `connectionEventsSuppressed` counts: such a session does not tell who comes and goes.
 *
 * @param {...any} given
 * @returns {Session}
 */
export function initSession(...given) {
  const { apiKey, sessionId, options } = sessionArguments(given)
  const known = sessions.get(sessionId)
  if (known) {
    known.apiKey ??= apiKey
    return known
  }
  const session = new Session(apiKey, sessionId, {
    quiet: options?.connectionEventsSuppressed === true,
  })
  sessions.set(sessionId, session)
  return session
}

/**
 * `initPublisher(target?, properties?, callback?)`, also after an API key. Asks for the camera and the microphone.
 *
 * @type {((...given: any[]) => Publisher) & { promise: (...given: any[]) => Promise<Publisher> }}
 */
export const initPublisher = promisify((...given) => {
  const { target, properties, callback } = publisherArguments(given)
  return new Publisher(target, properties, callback)
})

export const OT = {
  initSession,
  initPublisher,
  Session,
  Publisher,
  Subscriber,
  Connection,
  Stream,
  EventDispatcher: Events,
  Error: OpenTokError,

  // What happened that no callback heard of: `exception`.
  on: exceptions.on.bind(exceptions),
  once: exceptions.once.bind(exceptions),
  off: exceptions.off.bind(exceptions),
  addEventListener: exceptions.on.bind(exceptions),
  removeEventListener: exceptions.off.bind(exceptions),
  trigger: exceptions.trigger.bind(exceptions),

  HAS_REQUIREMENTS: 1,
  NOT_HAS_REQUIREMENTS: 0,
  checkSystemRequirements: () => (supportsWebRtc() ? 1 : 0),
  upgradeSystemRequirements: () => log.warn('This browser is too old for video calls.'),

  getDevices,
  getUserMedia,
  getAudioOutputDevices,
  getActiveAudioOutputDevice,
  setAudioOutputDevice,
  getSupportedCodecs,
  unblockAudio,
  checkScreenSharingCapability,
  /** Browsers share screens without an extension. */
  registerScreenSharingExtension: () => {},

  ...LEVELS,
  setLogLevel,
  log: log.log,
  debug: log.debug,
  info: log.info,
  warn: log.warn,
  error: log.error,
  shouldLog: () => true,

  properties: { version: '2.36.0', supportSSL: 'true', sslVersion: '1' },
  /** Nothing is reported to anyone; the id is for the page's own log. @param {any} [callback] */
  reportIssue(callback) {
    const id = uuid()
    if (typeof callback === 'function') later(() => callback(undefined, id))
    return Promise.resolve(id)
  },
  hasMediaProcessorSupport: () => false,
  hasEndToEndEncryptionSupport: () => false,
  setProxyUrl: () => log.warn('A proxy is not supported.'),
}
