import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeSocket, FakeTimers, settle, WELCOME } from '../testing/fakes.js'
import { Signaling } from './signaling.js'

/** A signaling whose sockets, clock and handlers the test holds. */
function start() {
  const timers = new FakeTimers()
  const sockets = []
  const told = []
  const tell = (what) => (value) => told.push(value === undefined ? what : [what, value])
  const signaling = new Signaling({
    url: 'wss://test/live',
    createSocket: () => {
      sockets.push(new FakeSocket())
      return sockets.at(-1)
    },
    timers,
    random: () => 1,
    handlers: {
      welcome: () => told.push('welcome'),
      refused: (error) => told.push(['refused', error.code]),
      event: tell('event'),
      lost: tell('lost'),
      resumed: tell('resumed'),
      closed: tell('closed'),
    },
  })
  signaling.open('session', 'token')
  return { signaling, timers, sockets, told, socket: () => sockets.at(-1) }
}

function connected() {
  const world = start()
  world.socket().open()
  world.socket().reply('hello', WELCOME)
  world.told.length = 0
  return world
}

const event = (n, type = 'muteForced') => ({ n, type, active: true })

test('the first message says who is there and what it speaks', () => {
  const { socket, told } = start()
  socket().open()
  assert.deepEqual(socket().sent, [
    { id: 1, type: 'hello', versions: [1], sessionId: 'session', token: 'token' },
  ])
  socket().reply('hello', WELCOME)
  assert.deepEqual(told, ['welcome'])
})

test('a first socket that fails is followed by another', () => {
  const { socket, timers, told } = start()
  socket().open()
  socket().lose()
  timers.pass(200)
  socket().open()
  socket().reply('hello', WELCOME)
  assert.deepEqual(told, ['welcome'])
})

test('a refused hello ends it, with the reason', () => {
  const { socket, sockets, told, timers } = start()
  socket().open()
  const error = { code: 1004, name: 'OT_AUTHENTICATION_ERROR', message: 'The token has expired.' }
  socket().reply('hello', { error })
  assert.deepEqual(told, [['refused', 1004]])
  assert.equal(socket().closed, true)
  timers.pass(60_000)
  assert.equal(sockets.length, 1)
})

test('a server that cannot be reached, or does not answer, is told apart', () => {
  const first = start()
  for (const wait of [200, 400, 0]) {
    assert.deepEqual(first.told, [])
    first.socket().lose()
    first.timers.pass(wait)
  }
  assert.deepEqual(first.told, [['refused', 1006]])
  assert.equal(first.sockets.length, 3)

  const second = start()
  second.socket().open()
  second.timers.pass(10_000)
  assert.deepEqual(second.told, [['refused', 1008]])
})

test('replies may come in any order', async () => {
  const { signaling, socket } = connected()
  const order = []
  const first = signaling.request({ type: 'unsubscribe', slot: 0 }).then(() => order.push(0))
  const second = signaling.request({ type: 'unsubscribe', slot: 1 }).then(() => order.push(1))
  const [one, two] = socket().sent.slice(-2)
  socket().deliver({ re: two.id })
  await settle()
  socket().deliver({ re: one.id })
  await Promise.all([first, second])
  assert.deepEqual(order, [1, 0])
  assert.notEqual(one.id, two.id)
})

test('an error in a reply is an error with its code', async () => {
  const { signaling, socket } = connected()
  const asked = signaling.request({ type: 'forceDisconnect', connectionId: 'x' })
  const error = { code: 1520, name: 'OT_PERMISSION_DENIED', message: 'No.' }
  socket().reply('forceDisconnect', { error })
  await assert.rejects(asked, { code: 1520, name: 'OT_PERMISSION_DENIED', message: 'No.' })
})

test('a lost socket is replaced, and the connection resumed after the last event', () => {
  const { socket, sockets, timers, told } = connected()
  socket().deliver(event(1))
  socket().deliver(event(2))
  socket().lose()
  assert.deepEqual(told.slice(-1), ['lost'])
  timers.pass(200)
  assert.equal(sockets.length, 2)
  socket().open()
  const { resume } = socket().last('hello')
  assert.deepEqual(resume, { connectionId: 'me', key: 'secret', last: 2 })
  socket().reply('hello', { resumed: true })
  assert.deepEqual(told.slice(-1), ['resumed'])
})

test('an event that comes twice is told once', () => {
  const { socket, told } = connected()
  for (const n of [1, 2, 2, 1, 3]) socket().deliver(event(n))
  assert.equal(told.length, 3)
})

test('attempts to reconnect come at growing distances', () => {
  const { socket, sockets, timers } = connected()
  socket().lose()
  const waits = []
  for (let attempt = 0; attempt < 7; attempt += 1) {
    const [before, from] = [sockets.length, timers.now]
    while (sockets.length === before) timers.pass(50)
    waits.push(timers.now - from)
    socket().lose()
  }
  assert.deepEqual(waits, [200, 400, 800, 1600, 3200, 4000, 4000])
})

test('an attempt that hangs is given up for the next', () => {
  const { socket, sockets, timers } = connected()
  socket().lose()
  timers.pass(200)
  const hanging = socket()
  timers.pass(5000 + 400)
  assert.equal(hanging.closed, true)
  assert.equal(sockets.length, 3)
})

test('a network that is back is tried at once', () => {
  const { signaling, socket, sockets } = connected()
  socket().lose()
  signaling.hurry()
  assert.equal(sockets.length, 2)
})

test('a connection that the server has forgotten is over', () => {
  for (const outcome of [
    { resumed: false },
    { error: { code: 4001, name: 'OT_DISCONNECTED', message: 'Gone.' } },
  ]) {
    const { socket, timers, told } = connected()
    socket().lose()
    timers.pass(200)
    socket().open()
    socket().reply('hello', outcome)
    assert.deepEqual(told.slice(-1), [['closed', 'networkDisconnected']])
  }
})

test('after the time of grace it is over', () => {
  const { socket, timers, told } = connected()
  socket().lose()
  timers.pass(WELCOME.graceMs)
  assert.deepEqual(told, ['lost', ['closed', 'networkDisconnected']])
})

test('requests made without a socket are sent with the next one, in order', async () => {
  const { signaling, socket, timers } = connected()
  const answered = signaling.request({ type: 'unsubscribe', slot: 1 })
  socket().lose()
  signaling.request({ type: 'unsubscribe', slot: 2 }).catch(() => {})
  timers.pass(200)
  socket().open()
  assert.equal(socket().sent.length, 1)
  socket().reply('hello', { resumed: true })
  assert.deepEqual(
    socket()
      .sent.slice(1)
      .map((message) => message.slot),
    [1, 2],
  )
  socket().deliver({ re: socket().sent[1].id })
  await answered
})

test('a closing socket gets nothing more to send', async () => {
  const { signaling, socket, sockets, timers, told } = connected()
  socket().readyState = 2
  signaling.request({ type: 'signal' }, { repeat: false }).catch(() => {})
  assert.deepEqual(told, ['lost'])
  assert.equal(sockets[0].last('signal'), undefined)
  timers.pass(200)
  socket().open()
  socket().reply('hello', { resumed: true })
  assert.ok(socket().last('signal'))
})

test('what must not happen twice is not sent twice, what cannot wait does not', async () => {
  const { signaling, socket, timers } = connected()
  const sent = signaling.request({ type: 'signal' }, { repeat: false })
  socket().lose()
  const waiting = signaling.request({ type: 'signal' }, { repeat: false, wait: false })
  await assert.rejects(sent, { name: 'OT_DISCONNECTED' })
  await assert.rejects(waiting, { name: 'OT_DISCONNECTED' })
  timers.pass(200)
  socket().open()
  socket().reply('hello', { resumed: true })
  assert.equal(socket().last('signal'), undefined)
})

test('a message made by a function is made anew each time, and not sent when it is not wanted', async () => {
  const { signaling, socket, timers } = connected()
  let generation = 0
  signaling.request(() => ({ type: 'offer', generation: ++generation })).catch(() => {})
  let wanted = true
  const dropped = signaling.request(() => (wanted ? { type: 'ping' } : null))
  socket().lose()
  wanted = false
  timers.pass(200)
  socket().open()
  socket().reply('hello', { resumed: true })
  assert.equal(socket().last('offer').generation, 2)
  await assert.rejects(dropped, { name: 'OT_DISCONNECTED' })
})

test('events are acknowledged by the dozen, and after a while', () => {
  const { socket, timers } = connected()
  for (let n = 1; n <= 31; n += 1) socket().deliver(event(n))
  assert.equal(socket().last('ack'), undefined)
  socket().deliver(event(32))
  assert.equal(socket().last('ack').last, 32)
  socket().deliver(event(33))
  timers.pass(2000)
  assert.equal(socket().last('ack').last, 33)
})

test('a silent server is a lost one, an answering one is not', () => {
  const { socket, sockets, timers, told } = connected()
  for (let beat = 0; beat < 5; beat += 1) {
    timers.pass(2000)
    socket().reply('ping')
  }
  assert.equal(sockets.length, 1)
  timers.pass(6000 + 200)
  assert.equal(told[0], 'lost')
  assert.ok(sockets.length > 1)
})

test('the last event says why the connection is over', () => {
  const { socket, told } = connected()
  socket().deliver({ n: 1, type: 'disconnected', reason: 'forceDisconnected' })
  socket().lose()
  assert.deepEqual(told, [['closed', 'forceDisconnected']])
})

test('leaving says goodbye, and nothing is told any more', async () => {
  const { signaling, socket, told } = connected()
  const asked = signaling.request({ type: 'ping' })
  signaling.close()
  assert.equal(socket().last('bye')?.type, 'bye')
  assert.equal(socket().closed, true)
  await assert.rejects(asked, { name: 'OT_DISCONNECTED' })
  await assert.rejects(signaling.request({ type: 'ping' }), { name: 'OT_NOT_CONNECTED' })
  assert.deepEqual(told, [])
})

test('garbage is ignored', () => {
  const { socket, told } = connected()
  for (const data of ['', 'null', '7', '{', '[]', '{"re":99}', '{"n":"x"}']) {
    socket().onmessage({ data })
  }
  assert.deepEqual(told, [])
})
