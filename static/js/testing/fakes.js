/** @file What the tests play in place of the browser: sockets, a clock, peer connections. */

/** Time that passes when told to. */
export class FakeTimers {
  now = 0
  #timers = new Map()
  #next = 1

  set = (task, ms) => {
    this.#timers.set(this.#next, { task, at: this.now + ms })
    return this.#next++
  }

  clear = (timer) => {
    this.#timers.delete(timer)
  }

  /** Lets `ms` pass, timer by timer. */
  pass(ms) {
    const end = this.now + ms
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end)
      if (due.length === 0) break
      const [id, { task, at }] = due.reduce((first, each) =>
        each[1].at < first[1].at ? each : first,
      )
      this.#timers.delete(id)
      this.now = at
      task()
    }
    this.now = end
  }
}

/** The browser's end of a socket, and the server's hand on it. */
export class FakeSocket {
  sent = []
  closed = false

  open() {
    this.onopen?.()
  }

  send(text) {
    this.sent.push(JSON.parse(text))
  }

  close() {
    this.closed = true
  }

  /** The server sends. */
  deliver(message) {
    this.onmessage?.({ data: JSON.stringify(message) })
  }

  /** The server answers the last request of a type. */
  reply(type, outcome = {}) {
    this.deliver({ re: this.last(type).id, ...outcome })
  }

  /** The last request of a type. */
  last(type) {
    return this.sent.findLast((message) => message.type === type)
  }

  /** The network takes the socket away. */
  lose() {
    this.closed = true
    this.onclose?.()
  }
}

export const WELCOME = {
  version: 1,
  connection: { connectionId: 'me', creationTime: 1, data: '' },
  key: 'secret',
  role: 'publisher',
  graceMs: 30_000,
  relayed: false,
  connections: [{ connectionId: 'me', creationTime: 1, data: '' }],
  streams: [],
  archives: [],
}

/** A stream as the server describes it. */
export function streamInfo(streamId, connectionId, more = {}) {
  return {
    streamId,
    connectionId,
    creationTime: 2,
    name: '',
    hasAudio: true,
    hasVideo: true,
    videoType: 'camera',
    width: 640,
    height: 480,
    frameRate: 30,
    ...more,
  }
}

class FakeTransceiver {
  mid = null
  currentDirection = null
  stopped = false
  sender = {}

  constructor(kind, init) {
    this.kind = kind
    this.direction = init.direction
    this.receiver = { kind, track: { kind } }
  }

  stop() {
    this.stopped = true
    this.currentDirection = 'stopped'
  }
}

/** A peer connection that writes its m-lines as its SDP and believes every answer. */
export class FakePeerConnection {
  transceivers = []
  signalingState = 'stable'
  connectionState = 'new'
  localDescription = null
  restarts = 0
  #mids = 0

  addTransceiver(trackOrKind, init) {
    const transceiver = new FakeTransceiver(trackOrKind.kind ?? trackOrKind, init)
    this.transceivers.push(transceiver)
    return transceiver
  }

  async createOffer() {
    return { type: 'offer' }
  }

  async setLocalDescription({ type }) {
    if (type === 'rollback') {
      this.signalingState = 'stable'
      for (const each of this.transceivers) if (!each.currentDirection) each.mid = null
      return
    }
    const live = this.transceivers.filter((each) => !each.stopped)
    for (const each of live) each.mid ??= String(this.#mids++)
    this.localDescription = { type, sdp: live.map((each) => `${each.mid}:${each.kind}`).join(' ') }
    this.signalingState = 'have-local-offer'
  }

  async setRemoteDescription() {
    this.signalingState = 'stable'
    for (const each of this.transceivers) each.currentDirection ??= each.direction
  }

  restartIce() {
    this.restarts += 1
  }

  close() {
    this.connectionState = 'closed'
  }

  become(state) {
    this.connectionState = state
    this.onconnectionstatechange?.()
  }
}

/** One end of a pair: a peer connection that believes whatever it is told, and writes down what it is asked. */
export class FakePairConnection {
  connectionState = 'new'
  signalingState = 'stable'
  localDescription = null
  remoteDescription = null
  senders = []
  receivers = []
  candidates = []
  restarts = 0

  addTransceiver(kind) {
    const sender = {
      kind,
      track: null,
      parameters: { encodings: [{}] },
      replaceTrack: async (track) => {
        sender.track = track
      },
      getParameters: () => structuredClone(sender.parameters),
      setParameters: async (parameters) => {
        sender.parameters = parameters
      },
    }
    this.senders.push(sender)
    return { sender }
  }

  getReceivers() {
    return this.receivers
  }

  async createOffer() {
    return { type: 'offer', sdp: `offer ${this.restarts}` }
  }

  async createAnswer() {
    return { type: 'answer', sdp: `answer to ${this.remoteDescription.sdp}` }
  }

  async setLocalDescription(description) {
    this.localDescription = description
    this.signalingState = description.type === 'offer' ? 'have-local-offer' : 'stable'
    this.onicecandidate?.({ candidate: fakeCandidate(`of ${description.sdp}`) })
    this.onicecandidate?.({ candidate: null })
  }

  async setRemoteDescription(description) {
    this.remoteDescription = description
    this.signalingState = 'stable'
    if (description.type === 'offer' && this.receivers.length === 0) {
      this.receivers = ['audio', 'video'].map((kind) => ({ track: { kind, muted: true } }))
    }
  }

  async addIceCandidate(candidate) {
    this.candidates.push(candidate.candidate)
  }

  restartIce() {
    this.restarts += 1
  }

  close() {
    this.connectionState = 'closed'
  }

  become(state) {
    this.connectionState = state
    this.onconnectionstatechange?.()
  }
}

function fakeCandidate(candidate) {
  return { candidate, toJSON: () => ({ candidate, sdpMid: '0' }) }
}

/** Lets everything that waits for a promise or a timer of 0 ms run. */
export async function settle() {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setTimeout(resolve, 0))
}
