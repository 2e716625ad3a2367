/**
 * @file A session, as pages use it: connect, publish, subscribe, signal, moderate.
 *
 * What a call leads to is told by callbacks, promises and events, never inside the call itself.
 */

import { connectArguments, widgetArguments } from './arguments.js'
import { capabilitiesOf, mayNot } from './capabilities.js'
import { answering, asOpenTokError, fail, OpenTokError } from './errors.js'
import { Events, later, OTEvent } from './events.js'
import { log } from './log.js'
import { Media } from './media.js'
import { Members } from './members.js'
import { promisify } from './promisify.js'
import { Publications } from './publications.js'
import { Publisher } from './publisher.js'
import { openTokReason } from './reason.js'
import { signalingUrl } from './server-url.js'
import { signalMessage } from './signal.js'
import { Signaling } from './signaling.js'
import { Subscriber } from './subscriber.js'

/** @import { Action } from './capabilities.js' */
/** @import { Connection } from './connection.js' */
/** @import { ClientMessage, ServerEvent, Welcome } from './messages.js' */
/** @import { Stream } from './stream.js' */

/**
 * What a session is made of besides itself; tests play these parts.
 *
 * @typedef {object} Parts
 * @property {boolean} [quiet] who comes and goes is not told
 * @property {(options: ConstructorParameters<typeof Signaling>[0]) => Signaling} [createSignaling]
 * @property {(...options: ConstructorParameters<typeof Media>) => Media} [createMedia]
 */

export class Session extends Events {
  /** @type {Connection | null} null: not connected */
  connection = null
  capabilities = capabilitiesOf(null)
  /** @type {string | null} */
  token = null
  /** @type {'disconnected' | 'connecting' | 'connected' | 'reconnecting' | 'disconnecting'} */
  currentState = 'disconnected'

  #parts
  #members = new Members()
  /** @type {Signaling | null} */
  #signaling = null
  /** @type {Media | null} */
  #media = null
  /** Ends a connecting that did not succeed. @type {(error: OpenTokError) => void} */
  #refused = () => {}
  #publications = new Publications()
  /** @type {Set<Subscriber>} */
  #subscribers = new Set()
  /** Ends the listening to the window. @type {AbortController | null} */
  #watching = null

  /**
   * @param {string | undefined} apiKey
   * @param {string} sessionId
   * @param {Parts} [parts]
   */
  constructor(apiKey, sessionId, parts = {}) {
    super()
    this.apiKey = apiKey
    this.sessionId = sessionId
    this.id = sessionId
    this.#parts = parts
  }

  get connections() {
    return this.#members.connections
  }

  get streams() {
    return this.#members.streams
  }

  get archives() {
    return this.#members.archives
  }

  /** `connect(token, callback?)` or `connect(apiKey, token, callback?)`; returns the session. */
  connect = promisify((/** @type {any[]} */ ...given) => this.#connect(given))

  /** `publish(publisher, callback?)` or `publish(target?, properties?, callback?)`; returns the publisher, or null. */
  publish = promisify((/** @type {any[]} */ ...given) => this.#publish(given))

  /** `subscribe(stream, target?, properties?, callback?)`; returns the subscriber, or null. */
  subscribe = promisify((/** @type {any[]} */ ...given) => this.#subscribe(given))

  /** @param {any[]} given */
  #connect(given) {
    const { apiKey, token, callback } = connectArguments(given)
    if (this.currentState !== 'disconnected') {
      log.warn(`Session ${this.sessionId} is ${this.currentState} already.`)
      return this
    }
    if (apiKey !== undefined) this.apiKey ??= apiKey
    this.token = token
    if (typeof this.sessionId !== 'string' || this.sessionId === '') {
      fail(
        new OpenTokError(1005, 'OT_INVALID_SESSION_ID', 'There is no session id.'),
        callback,
        this,
      )
      return this
    }
    if (typeof token !== 'string' || token === '') {
      fail(new OpenTokError(1004, 'OT_AUTHENTICATION_ERROR', 'There is no token.'), callback, this)
      return this
    }

    const connected = (/** @type {OTEvent} */ event) => callback?.(undefined, event)
    this.once('sessionConnected', connected)
    const refused = (/** @type {OpenTokError} */ error) => {
      this.off('sessionConnected', connected)
      this.#reset()
      fail(error, callback, this)
    }
    this.#refused = refused
    this.currentState = 'connecting'
    const create = this.#parts.createSignaling ?? ((options) => new Signaling(options))
    const signaling = create({
      url: signalingUrl(),
      handlers: {
        welcome: (welcome) => this.#welcomed(welcome),
        refused,
        event: (event) => this.#told(event),
        lost: () => {
          this.currentState = 'reconnecting'
          this.#emit('sessionReconnecting')
        },
        resumed: () => {
          this.currentState = 'connected'
          if (!this.#media?.isConnected) this.#media?.restart()
          this.#emit('sessionReconnected')
        },
        closed: (reason) => this.#left(reason),
      },
    })
    this.#signaling = signaling
    this.#watchWindow()
    signaling.open(this.sessionId, token, { quiet: this.#parts.quiet })
    return this
  }

  /** Leaves; `sessionDisconnected` follows. Without a connection nothing happens. */
  disconnect() {
    if (['disconnected', 'disconnecting'].includes(this.currentState)) return
    const wasConnecting = this.currentState === 'connecting'
    this.currentState = 'disconnecting'
    this.#signaling?.close()
    this.#media?.close()
    later(() => {
      if (wasConnecting)
        this.#refused(
          new OpenTokError(
            1010,
            'OT_DISCONNECTED',
            'The session was left before it had connected.',
          ),
        )
      else this.#left('clientDisconnected')
    })
  }

  /** @param {any[]} given */
  #publish(given) {
    const [first] = given
    const ready = first instanceof Publisher ? first : null
    const { target, properties, callback } = widgetArguments(ready ? given.slice(1) : given)
    const error = this.#unable('publish', 1500)
    if (error) {
      fail(error, callback, this)
      return null
    }
    if (ready?.session) {
      const message = 'The publisher is publishing already.'
      fail(new OpenTokError(1500, 'OT_INVALID_PARAMETER', message), callback, this)
      return null
    }
    const publisher = ready ?? new Publisher(target, properties, null)
    const media = /** @type {Media} */ (this.#media)
    const place = { session: this, media, members: this.#members }
    this.#publications.publish(publisher, place).then(
      () => callback && later(() => callback(undefined, publisher)),
      (thrown) =>
        fail(asOpenTokError(thrown, 1500, 'OT_STREAM_CREATE_FAILED'), callback, publisher),
    )
    return publisher
  }

  /** @param {Publisher} publisher */
  unpublish(publisher) {
    if (publisher?.session === this) publisher.endStream('unpublished', { notifyServer: true })
  }

  /** @param {any[]} given */
  #subscribe(given) {
    const [wanted, ...rest] = given
    const { target, properties, callback } = widgetArguments(rest)
    const id = wanted?.streamId
    const stream = this.#members.streams.get(id) ?? this.#members.own.get(id)
    const error =
      this.#unable('subscribe', 1501) ??
      (stream
        ? null
        : new OpenTokError(
            1501,
            'OT_STREAM_NOT_FOUND',
            'The stream is not in the session any more.',
          ))
    if (error || !stream) {
      fail(error, callback, this)
      return null
    }
    const media = /** @type {Media} */ (this.#media)
    const place = { session: this, media, target, properties, callback }
    const subscriber = new Subscriber(stream, place)
    this.#subscribers.add(subscriber)
    return subscriber
  }

  /** @param {Subscriber} subscriber */
  unsubscribe(subscriber) {
    if (this.#subscribers.delete(subscriber)) subscriber.end('unsubscribed')
  }

  /** @param {Stream} stream @returns {Subscriber[]} */
  getSubscribersForStream(stream) {
    return [...this.#subscribers].filter((each) => each.stream === stream)
  }

  /** @param {Stream | string} stream @returns {Publisher | undefined} */
  getPublisherForStream(stream) {
    return this.#publications.of(typeof stream === 'string' ? stream : stream?.streamId)
  }

  /**
   * @param {{ type?: string, data?: any, to?: any, retryAfterReconnect?: boolean }} signal
   * @param {(error?: OpenTokError) => void} [callback]
   * @returns {Promise<void>}
   */
  signal(signal, callback) {
    const send = async () => {
      if (!this.#isConnected) {
        throw new OpenTokError(500, 'OT_NOT_CONNECTED', 'The session is not connected.')
      }
      const message = signalMessage(signal, (to) => {
        if (to === this) return undefined
        return typeof to?.connectionId === 'string' ? to.connectionId : null
      })
      const wait = signal.retryAfterReconnect !== false
      // Not sent twice: it may have arrived although the reply did not.
      await this.#signaling?.request(message, { repeat: false, wait })
    }
    const sent = send().catch((error) => {
      if (error?.name !== 'OT_DISCONNECTED') throw error
      throw new OpenTokError(500, 'OT_NOT_CONNECTED', error.message)
    })
    return answering(sent, callback)
  }

  /** @param {Connection | string} connection @param {any} [callback] @returns {Promise<void>} */
  forceDisconnect(connection, callback) {
    const connectionId = idOf(connection, 'connectionId')
    const message = /** @type {const} */ ({ type: 'forceDisconnect', connectionId })
    return this.#moderate('forceDisconnect', 1520, message, callback)
  }

  /** @param {Stream | string} stream @param {any} [callback] @returns {Promise<void>} */
  forceUnpublish(stream, callback) {
    const streamId = idOf(stream, 'streamId')
    const message = /** @type {const} */ ({ type: 'forceUnpublish', streamId })
    return this.#moderate('forceUnpublish', 1530, message, callback)
  }

  /** @param {Stream | string} stream @param {any} [callback] @returns {Promise<void>} */
  forceMuteStream(stream, callback) {
    const streamId = idOf(stream, 'streamId')
    const message = /** @type {const} */ ({ type: 'forceMute', streamId })
    return this.#moderate('forceMute', 1540, message, callback)
  }

  /**
   * @param {(Stream | string)[] | ((error?: OpenTokError) => void) | null} [excluded]
   * @param {any} [callback]
   * @returns {Promise<void>}
   */
  forceMuteAll(excluded = [], callback = undefined) {
    if (typeof excluded === 'function') return this.forceMuteAll([], excluded)
    const excludedStreamIds = (excluded ?? []).map((stream) => idOf(stream, 'streamId'))
    const message = /** @type {const} */ ({ type: 'forceMuteAll', excludedStreamIds })
    return this.#moderate('forceMute', 1540, message, callback)
  }

  /** @param {any} [callback] @returns {Promise<void>} */
  disableForceMute(callback) {
    return this.#moderate('forceMute', 1540, { type: 'disableForceMute' }, callback)
  }

  /**
   * @param {Action} action
   * @param {number} code
   * @param {ClientMessage} message
   * @param {any} callback
   * @returns {Promise<void>}
   */
  #moderate(action, code, message, callback) {
    const ask = async () => {
      const error = this.#unable(action, code)
      if (error) throw error
      await this.#signaling?.request(message)
    }
    const asked = ask()
    asked.catch((error) => fail(error, null, this))
    return answering(asked, callback)
  }

  /** @param {Welcome} welcome */
  #welcomed(welcome) {
    this.currentState = 'connected'
    this.capabilities = capabilitiesOf(welcome.role)
    const create = this.#parts.createMedia ?? ((...options) => new Media(...options))
    this.#media = create(/** @type {Signaling} */ (this.#signaling), {
      receives: this.capabilities.subscribe === 1,
      relayed: welcome.relayed,
      own: welcome.connection.connectionId,
    })
    this.connection = this.#members.connection(welcome.connection)
    this.#dispatchAll(this.#members.enter(welcome))
  }

  /** @param {ServerEvent} event */
  #told(event) {
    switch (event.type) {
      case 'signal':
        this.#signaled(event)
        return
      case 'peer.want':
      case 'peer.sdp':
      case 'peer.ice':
      case 'peer.bye':
        this.#media?.handle(event)
        return
      case 'sessionRouted':
        this.#media?.route()
        return
      case 'connectionDestroyed':
        this.#media?.left(event.connectionId)
    }
    const ofOthers = 'streamId' in event && this.streams.has(event.streamId)
    const mayBeOurs = event.type === 'streamMuted' || event.type === 'streamDestroyed'
    if (mayBeOurs && !ofOthers && this.#publications.told(event)) return
    this.#dispatchAll(this.#members.apply(event))
  }

  /** @param {Extract<ServerEvent, { type: 'signal' }>} signal */
  #signaled({ signalType, data, from }) {
    const name = signalType ? `signal:${signalType}` : 'signal'
    const sender = from ? this.#members.of(from) : null
    const event = new OTEvent(name, { data: data ?? undefined, from: sender })
    this.dispatchEvent(event, 'signal')
    if (signalType) this.dispatchEvent(event, name)
  }

  /** Stops when a handler ends the session. @param {Generator<OTEvent>} events */
  #dispatchAll(events) {
    const media = this.#media
    for (const event of events) {
      if (event.type === 'streamPropertyChanged') this.#streamChanging(event)
      this.dispatchEvent(event)
      if (this.#media !== media || !this.#isConnected) return
      this.#actByDefault(event)
    }
  }

  /** @param {any} event */
  #streamChanging({ stream, changedProperty, oldValue }) {
    if (changedProperty !== 'hasVideo') return
    for (const subscriber of this.getSubscribersForStream(stream))
      subscriber.streamChanged(oldValue)
  }

  /** @param {any} event */
  #actByDefault(event) {
    if (event.type === 'streamDestroyed') {
      for (const subscriber of this.getSubscribersForStream(event.stream)) {
        this.#subscribers.delete(subscriber)
        if (event.isDefaultPrevented()) subscriber.detach()
        else subscriber.end('streamDestroyed')
      }
    } else if (event.type === 'archiveStarted' || event.type === 'archiveStopped') {
      const on = this.archives.length > 0
      for (const publisher of this.#publications.all()) publisher.setArchiving(on)
    }
  }

  /** @param {string} reason */
  #left(reason) {
    const publishers = this.#publications.all()
    const subscribers = [...this.#subscribers]
    this.#reset()
    // A word of ours beside OpenTok's, for pages that know it.
    const isServerStopping = reason === 'serverStopping'
    reason = openTokReason(reason)
    const event = new OTEvent('sessionDisconnected', { reason, isServerStopping }, true)
    this.dispatchEvent(event)
    const keep = event.isDefaultPrevented()
    for (const subscriber of subscribers) {
      if (keep) subscriber.detach()
      else subscriber.end(reason)
    }
    for (const publisher of publishers) publisher.endStream(reason, { notifyServer: false, keep })
  }

  #reset() {
    this.#signaling?.close()
    this.#media?.close()
    this.#watching?.abort()
    this.#signaling = null
    this.#media = null
    this.#publications = new Publications()
    this.#subscribers.clear()
    this.#members.clear()
    this.connection = null
    this.capabilities = capabilitiesOf(null)
    this.currentState = 'disconnected'
  }

  #watchWindow() {
    if (typeof window === 'undefined') return
    this.#watching = new AbortController()
    const { signal } = this.#watching
    const back = () => {
      this.#signaling?.hurry()
      this.#media?.restart()
    }
    window.addEventListener('online', back, { signal })
    window.addEventListener('pagehide', () => this.disconnect(), { signal })
  }

  get #isConnected() {
    return this.currentState === 'connected' || this.currentState === 'reconnecting'
  }

  /**
   * @param {Action} action
   * @param {number} code of the refusal
   * @returns {OpenTokError | null} why it cannot be done
   */
  #unable(action, code) {
    if (this.#isConnected) return mayNot(this.capabilities, action, code)
    return new OpenTokError(1010, 'OT_NOT_CONNECTED', 'The session is not connected.')
  }

  /**
   * @param {string} type
   * @param {Record<string, unknown>} [fields]
   */
  #emit(type, fields) {
    this.dispatchEvent(new OTEvent(type, fields))
  }
}

/**
 * @param {any} thing
 * @param {string} property
 * @returns {string}
 */
function idOf(thing, property) {
  return String(typeof thing === 'string' ? thing : thing?.[property])
}
