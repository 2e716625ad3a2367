/**
 * @file One WebSocket to the server, and its successors: a lost socket is replaced, the connection
 * resumed, and nothing that was told meanwhile is missed.
 *
 * ```text
 * idle ──▶ opening ──▶ open ◀──▶ lost
 *             └──────────┴────────┴────▶ closed
 * ```
 *
 * Names neither `window` nor a clock: what it needs of them is passed in, so that tests can play them.
 */

import { OpenTokError } from './errors.js'

/** @import { ClientMessage, Reply, ServerEvent, Welcome } from './messages.js' */

/** The protocol spoken here. */
const VERSION = 1

/**
 * Higher: a dead server is noticed later; lower: more idle traffic. It is dead after two silent beats, so that the
 * connection can be resumed while the server still keeps it, which without media is for seconds only.
 */
const HEARTBEAT_MS = 2000

/** A server that does not answer the first hello for so long is not there. */
const HELLO_TIMEOUT_MS = 10_000

/** Sockets that are tried before the server counts as unreachable. */
const FIRST_ATTEMPTS = 3

/** A new socket that is not greeted for so long is given up for the next. */
const ATTEMPT_TIMEOUT_MS = 5000

/** Reconnection waits about 200, 400, 800 … ms, never longer than this. */
const BACKOFF_FIRST_MS = 200
const BACKOFF_MAX_MS = 4000

/** Events are acknowledged by the dozen, or when this time has passed since the first of them. */
const ACK_EVENTS = 32
const ACK_MS = 2000

/** `WebSocket.OPEN`; higher is closing or closed. */
const OPEN = 1

/** Requests that may wait for a socket; more than any page has reason to queue. */
const QUEUE_LIMIT = 1000

/**
 * @typedef {object} Handlers
 * @property {(welcome: Welcome) => void} welcome the session accepted the connection
 * @property {(error: OpenTokError) => void} refused it did not, or it could not be reached
 * @property {(event: ServerEvent) => void} event
 * @property {() => void} lost the socket was lost and is being replaced
 * @property {() => void} resumed
 * @property {(reason: string) => void} closed the connection is over, and not by {@link Signaling.close}
 */

/**
 * @typedef {object} Timers
 * @property {(task: () => void, ms: number) => any} set
 * @property {(timer: any) => void} clear
 */

/**
 * @typedef {object} Pending
 * @property {() => ClientMessage | null} make the message, anew each time it is sent; null: not wanted any more
 * @property {boolean} repeat whether it may be sent again when its reply was lost with the socket
 * @property {boolean} wait whether it waits for the next socket when there is none
 * @property {(reply: Reply) => void} resolve
 * @property {(error: OpenTokError) => void} reject
 */

export class Signaling {
  #url
  #handlers
  #createSocket
  #timers
  #random

  /** @type {'idle' | 'opening' | 'open' | 'lost' | 'closed'} */
  #state = 'idle'
  /** @type {WebSocket | null} */
  #socket = null
  #sessionId = ''
  #token = ''
  #quiet = false
  /** @type {Welcome | null} */
  #welcome = null

  #nextId = 1
  /** Sent on the present socket, by id, waiting for a reply. @type {Map<number, Pending>} */
  #sent = new Map()
  /** Waiting for a socket. @type {Pending[]} */
  #queue = []

  /** Number of the last event that arrived. */
  #last = 0
  #acknowledged = 0
  /** Beats since anything arrived. */
  #silence = 0
  #attempt = 0
  /** Running timers by purpose. @type {Map<string, any>} */
  #running = new Map()

  /**
   * @param {object} options
   * @param {string} options.url `wss://…/live`
   * @param {Handlers} options.handlers
   * @param {(url: string) => WebSocket} [options.createSocket]
   * @param {Timers} [options.timers]
   * @param {() => number} [options.random] from 0 to 1
   */
  constructor({ url, handlers, createSocket, timers, random }) {
    this.#url = url
    this.#handlers = handlers
    this.#createSocket = createSocket ?? ((address) => new WebSocket(address))
    this.#timers = timers ?? {
      set: (task, ms) => setTimeout(task, ms),
      clear: (timer) => clearTimeout(timer),
    }
    this.#random = random ?? Math.random
  }

  get state() {
    return this.#state
  }

  /**
   * Connects; the outcome is told by `handlers.welcome` or `handlers.refused`.
   *
   * @param {string} sessionId
   * @param {string} token
   * @param {{ quiet?: boolean }} [options] `quiet`: who comes and goes need not be told
   */
  open(sessionId, token, { quiet = false } = {}) {
    this.#sessionId = sessionId
    this.#token = token
    this.#quiet = quiet
    this.#state = 'opening'
    this.#start('hello', HELLO_TIMEOUT_MS, () =>
      this.#refuse(new OpenTokError(1008, 'OT_TIMEOUT', 'The server did not answer in time.')),
    )
    this.#connect()
  }

  /**
   * Sends a request, now or as soon as there is a socket again.
   *
   * @param {ClientMessage | (() => ClientMessage | null)} message a function is called each time it is sent, and may
   *   return null when there is no need any more
   * @param {{ repeat?: boolean, wait?: boolean }} [options] `repeat`: send it again if the socket is lost before
   *   the reply (only what may safely happen twice); `wait`: false gives up when there is no socket
   * @returns {Promise<Reply>} rejected with an {@link OpenTokError}
   */
  request(message, { repeat = true, wait = true } = {}) {
    return new Promise((resolve, reject) => {
      const make = typeof message === 'function' ? message : () => message
      const pending = { make, repeat, wait, resolve, reject }
      // A closing socket takes messages and drops them; its `close` event is still to come.
      if (this.#state === 'open' && (this.#socket?.readyState ?? 0) > OPEN) this.#broken()
      if (this.#state === 'open') this.#send(pending)
      else if (this.#state === 'closed' || this.#state === 'idle') reject(notConnected())
      else if (!wait) reject(disconnected())
      else if (this.#queue.length >= QUEUE_LIMIT) reject(disconnected())
      else this.#queue.push(pending)
    })
  }

  /** Leaves for good. Nothing is told to the handlers any more. */
  close() {
    if (this.#state === 'open') {
      this.#send({ make: () => ({ type: 'bye' }), repeat: false, wait: false, ...UNHEARD })
    }
    this.#end()
  }

  /** The network has changed: try at once what would be tried later. */
  hurry() {
    if (this.#state === 'lost' && !this.#socket) {
      this.#attempt = 0
      this.#connect()
    } else if (this.#state === 'open') {
      this.#silence = 1
      this.#beat()
    }
  }

  #connect() {
    this.#stop('retry')
    if (this.#state === 'lost') this.#start('attempt', ATTEMPT_TIMEOUT_MS, () => this.#broken())
    /** @type {WebSocket} */
    let socket
    try {
      socket = this.#createSocket(this.#url)
    } catch {
      this.#broken()
      return
    }
    this.#socket = socket
    socket.onopen = () => this.#hello()
    socket.onmessage = (message) => this.#receive(message.data)
    socket.onclose = () => this.#broken()
    socket.onerror = () => {} // `close` follows
  }

  #hello() {
    const resume = this.#welcome && {
      connectionId: this.#welcome.connection.connectionId,
      key: this.#welcome.key,
      last: this.#last,
    }
    this.#send({
      make: () => ({
        type: 'hello',
        versions: [VERSION],
        sessionId: this.#sessionId,
        token: this.#token,
        ...(this.#quiet && { quiet: true }),
        ...(resume && { resume }),
      }),
      repeat: false,
      wait: false,
      resolve: (reply) => this.#greeted(reply),
      reject: (error) => (this.#welcome ? this.#over('networkDisconnected') : this.#refuse(error)),
    })
  }

  /** @param {Reply} reply */
  #greeted(reply) {
    if (this.#welcome) {
      // The server no longer knows the connection: a new one would be somebody else to the others.
      if (reply.resumed !== true) {
        this.#over('networkDisconnected')
        return
      }
      this.#opened()
      this.#handlers.resumed()
    } else {
      this.#welcome = /** @type {Welcome} */ (/** @type {unknown} */ (reply))
      this.#opened()
      this.#handlers.welcome(this.#welcome)
    }
  }

  #opened() {
    this.#state = 'open'
    this.#attempt = 0
    this.#silence = 0
    for (const purpose of ['hello', 'grace', 'attempt']) this.#stop(purpose)
    this.#start('beat', HEARTBEAT_MS, () => this.#beat())
    this.#acknowledged = this.#last
    for (const pending of this.#queue.splice(0)) this.#send(pending)
  }

  /** @param {Pending} pending */
  #send(pending) {
    const message = pending.make()
    if (!message) {
      pending.reject(disconnected())
      return
    }
    const id = this.#nextId++
    this.#sent.set(id, pending)
    this.#socket?.send(JSON.stringify({ id, ...message }))
  }

  /** @param {unknown} text */
  #receive(text) {
    this.#silence = 0
    const message = parse(text)
    if (!message) return
    if (typeof message.re === 'number') {
      const pending = this.#sent.get(message.re)
      this.#sent.delete(message.re)
      if (!pending) return
      const { error } = message
      if (error) pending.reject(new OpenTokError(error.code, error.name, error.message))
      else pending.resolve(message)
    } else if (typeof message.n === 'number' && message.n > this.#last) {
      this.#last = message.n
      this.#acknowledge()
      if (message.type === 'disconnected') this.#over(message.reason)
      else this.#handlers.event(message)
    }
  }

  #acknowledge() {
    if (this.#last - this.#acknowledged >= ACK_EVENTS) this.#sendAck()
    else if (!this.#running.has('ack')) this.#start('ack', ACK_MS, () => this.#sendAck())
  }

  #sendAck() {
    this.#stop('ack')
    if (this.#state !== 'open' || this.#acknowledged === this.#last) return
    this.#acknowledged = this.#last
    const last = this.#last
    this.#send({ make: () => ({ type: 'ack', last }), repeat: false, wait: false, ...UNHEARD })
  }

  #beat() {
    if (this.#state !== 'open') return
    if (this.#silence >= 2) {
      this.#broken()
      return
    }
    this.#silence += 1
    this.#send({ make: () => ({ type: 'ping' }), repeat: false, wait: false, ...UNHEARD })
    this.#start('beat', HEARTBEAT_MS, () => this.#beat())
  }

  /** The socket is gone. */
  #broken() {
    this.#dropSocket()
    if (this.#state === 'opening' && this.#attempt === FIRST_ATTEMPTS - 1) {
      this.#refuse(
        new OpenTokError(1006, 'OT_CONNECT_FAILED', 'The connection to the server failed.'),
      )
      return
    }
    if (this.#state === 'closed' || this.#state === 'idle') return

    this.#stop('attempt')
    const fresh = this.#state === 'open'
    if (fresh) {
      this.#state = 'lost'
      const grace = this.#welcome?.graceMs ?? 0
      this.#start('grace', grace, () => this.#over('networkDisconnected'))
      this.#requeue()
    } else {
      this.#sent.clear() // the unanswered hello
    }
    const wait = Math.min(BACKOFF_FIRST_MS * 2 ** this.#attempt, BACKOFF_MAX_MS)
    this.#attempt += 1
    this.#start('retry', wait * (0.5 + this.#random() / 2), () => this.#connect())
    if (fresh) this.#handlers.lost()
  }

  /** What was sent and not answered is sent again, or fails. */
  #requeue() {
    const lost = [...this.#sent.values()]
    this.#sent.clear()
    for (const pending of lost.filter((each) => !each.repeat)) pending.reject(disconnected())
    this.#queue.unshift(...lost.filter((each) => each.repeat))
  }

  /** @param {OpenTokError} error */
  #refuse(error) {
    if (this.#state === 'closed') return
    this.#end()
    this.#handlers.refused(error)
  }

  /** @param {string} reason */
  #over(reason) {
    if (this.#state === 'closed') return
    this.#end()
    this.#handlers.closed(reason)
  }

  #end() {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    for (const purpose of [...this.#running.keys()]) this.#stop(purpose)
    this.#dropSocket()
    const waiting = [...this.#sent.values(), ...this.#queue.splice(0)]
    this.#sent.clear()
    for (const pending of waiting) pending.reject(disconnected())
  }

  #dropSocket() {
    const socket = this.#socket
    this.#socket = null
    this.#stop('beat')
    this.#stop('ack')
    if (!socket) return
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
  }

  /**
   * @param {string} purpose
   * @param {number} ms
   * @param {() => void} task
   */
  #start(purpose, ms, task) {
    this.#stop(purpose)
    const timer = this.#timers.set(() => {
      this.#running.delete(purpose)
      task()
    }, ms)
    this.#running.set(purpose, timer)
  }

  /** @param {string} purpose */
  #stop(purpose) {
    this.#timers.clear(this.#running.get(purpose))
    this.#running.delete(purpose)
  }
}

/** For requests whose reply says nothing new. */
const UNHEARD = { resolve() {}, reject() {} }

function notConnected() {
  return new OpenTokError(1010, 'OT_NOT_CONNECTED', 'The session is not connected.')
}

function disconnected() {
  return new OpenTokError(
    1010,
    'OT_DISCONNECTED',
    'The connection to the server was lost before it answered.',
  )
}

/**
 * @param {unknown} text
 * @returns {any} null if it is not a JSON object
 */
function parse(text) {
  try {
    const message = JSON.parse(String(text))
    return typeof message === 'object' ? message : null
  } catch {
    return null
  }
}
