import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeSocket, FakeTimers, settle, streamInfo, WELCOME } from '../testing/fakes.js'
import { exceptions } from './errors.js'
import { setLogLevel } from './log.js'
import { Session } from './session.js'
import { Signaling } from './signaling.js'

setLogLevel(0)
globalThis.location = { href: 'https://parlor.test/rooms/main' }

const EVENTS =
  'sessionConnected sessionDisconnected sessionReconnecting sessionReconnected connectionCreated ' +
  'connectionDestroyed streamCreated streamDestroyed streamPropertyChanged signal signal:hi ' +
  'archiveStarted archiveStopped muteForced'

const other = { connectionId: 'bob', creationTime: 1, data: '{"name":"Bob"}' }
const archive = { id: 'a1', name: 'Monday', startedAt: 3 }

/** A session whose server the test plays; what it tells the page is written down in `told`. */
function start(welcome = {}, parts = {}) {
  const world = { told: [], sockets: [], timers: new FakeTimers(), media: null, url: '' }
  const session = new Session('key', 'session', {
    ...parts,
    createSignaling: ({ url, handlers }) => {
      world.url = url
      return new Signaling({
        url,
        handlers,
        timers: world.timers,
        random: () => 1,
        createSocket: () => {
          world.sockets.push(new FakeSocket())
          return world.socket()
        },
      })
    },
    createMedia: () => {
      world.media = {
        isConnected: true,
        left() {},
        closed: false,
        restart() {},
        close: () => (world.media.closed = true),
      }
      return world.media
    },
  })
  let n = 0
  Object.assign(world, {
    session,
    socket: () => world.sockets.at(-1),
    event: (type, fields) => world.socket().deliver({ n: ++n, type, ...fields }),
    welcome: () => {
      world.socket().open()
      world.socket().reply('hello', { ...WELCOME, ...welcome })
    },
    connect: () => {
      session.connect('token')
      world.welcome()
      return world
    },
  })
  session.on(EVENTS, ({ type, connection, stream, reason, id, changedProperty }) => {
    world.told.push(
      [type, connection?.id ?? stream?.id ?? id, reason ?? changedProperty]
        .filter(Boolean)
        .join(' '),
    )
  })
  return world
}

test('connecting tells of everything that is there, in order, the own connection included', () => {
  const { session, told, welcome } = start({
    connections: [other, ...WELCOME.connections],
    streams: [streamInfo('s1', 'bob')],
    archives: [archive],
  })
  session.connect('key', 'token', (error) => told.push(`callback ${error}`))
  assert.equal(session.currentState, 'connecting')
  assert.equal(session.connection, null)
  assert.deepEqual(told, [])
  welcome()
  assert.deepEqual(told, [
    'sessionConnected',
    'callback undefined',
    'connectionCreated me',
    'connectionCreated bob',
    'streamCreated s1',
    'archiveStarted a1',
  ])
  assert.equal(session.currentState, 'connected')
  assert.equal(session.connections.length, 2)
  assert.equal(session.streams.get('s1').connection, session.connections.get('bob'))
})

test('the server is found where the page came from, when no script says otherwise', () => {
  const world = start()
  world.session.connect('token')
  assert.equal(world.url, 'wss://parlor.test/live')
})

test('there is one object for a connection, wherever it is met', () => {
  const { session, event, connect } = start()
  const seen = []
  session.on('connectionCreated', ({ connection }) => seen.push(connection))
  session.on('streamCreated', ({ stream }) => seen.push(stream.connection))
  session.on('signal', ({ from }) => seen.push(from))
  connect()
  event('connectionCreated', { connection: other })
  event('streamCreated', { stream: streamInfo('s1', 'bob') })
  event('signal', { from: 'bob' })
  event('signal', { from: 'me' })
  const [me, bob] = seen
  assert.equal(session.connection, me)
  assert.deepEqual(
    seen.slice(2).map((each) => each === bob),
    [true, true, false],
  )
  assert.equal(seen[4], me)
})

test('a session that wants to be quiet says so, and hears from people it was not told of', () => {
  const { session, socket, event, connect, told } = start({}, { quiet: true })
  const from = []
  session.on('signal', (event) => from.push(event.from))
  session.on('streamCreated', ({ stream }) => from.push(stream.connection))
  connect()
  assert.equal(socket().last('hello').quiet, true)
  told.length = 0
  event('signal', { data: 'hi', from: 'bob' })
  event('streamCreated', { stream: streamInfo('s1', 'bob') })
  event('signal', { data: 'hi', from: 'bob' })
  event('streamDestroyed', { streamId: 's1', reason: 'clientDisconnected' })
  assert.deepEqual(
    from.map((each) => each.connectionId),
    ['bob', 'bob', 'bob'],
  )
  assert.equal(from[1], from[2])
  assert.equal(session.connections.length, 1)
  assert.deepEqual(told, [
    'signal',
    'streamCreated s1',
    'signal',
    'streamDestroyed s1 clientDisconnected',
  ])
})

test('a signal is heard by all and by its type, both times under its full name', () => {
  const { session, event, connect, told } = start()
  connect()
  const heard = []
  session.on('signal signal:hi', ({ data, from }) => heard.push(data, from))
  told.length = 0
  event('signal', { signalType: 'hi', data: 'there', from: null })
  assert.deepEqual(told, ['signal:hi', 'signal:hi'])
  assert.deepEqual(heard, ['there', null, 'there', null])
})

test('signals may be sent while connecting is being told, and are answered after the call', async () => {
  const { session, socket, connect } = start()
  const done = []
  session.on('sessionConnected', () => {
    session.signal({ type: 'me~status', data: 'online' }, (error) => done.push(error))
  })
  connect()
  await settle()
  const { signalType, data } = socket().last('signal')
  assert.deepEqual([signalType, data], ['me~status', 'online'])
  socket().reply('signal')
  assert.deepEqual(done, [])
  await settle()
  assert.deepEqual(done, [undefined])
})

test('a signal without a connection, or refused, is an error with a reason', async () => {
  const { session, socket, connect } = start()
  await assert.rejects(session.signal({}), { code: 500, name: 'OT_NOT_CONNECTED' })
  connect()
  const sent = session.signal({ to: session.connection })
  await settle()
  assert.equal(socket().last('signal').to, 'me')
  socket().reply('signal', { error: { code: 404, name: 'OT_NOT_FOUND', message: 'Gone.' } })
  await assert.rejects(sent, { code: 404, reason: 'Gone.' })
})

test('a stream that changes or ends is told once for each change', () => {
  const { session, event, connect, told } = start({
    connections: [...WELCOME.connections, other],
    streams: [streamInfo('s1', 'bob')],
  })
  connect()
  const stream = session.streams.get('s1')
  told.length = 0
  event('streamChanged', {
    stream: streamInfo('s1', 'bob', { hasVideo: false, width: 320, height: 240 }),
  })
  assert.deepEqual(told, [
    'streamPropertyChanged s1 hasVideo',
    'streamPropertyChanged s1 videoDimensions',
  ])
  assert.equal(stream.hasVideo, false)
  assert.deepEqual(stream.videoDimensions, { width: 320, height: 240 })
  told.length = 0
  event('streamDestroyed', { streamId: 's1', reason: 'clientDisconnected' })
  event('connectionDestroyed', { connectionId: 'bob', reason: 'clientDisconnected' })
  assert.deepEqual(told, [
    'streamDestroyed s1 clientDisconnected',
    'connectionDestroyed bob clientDisconnected',
  ])
  assert.deepEqual([session.streams.length, session.connections.length], [0, 1])
})

test('an archive is told once when it starts and once when it stops', () => {
  const { session, event, connect, told } = start()
  connect()
  told.length = 0
  for (const type of ['archiveStarted', 'archiveStarted', 'archiveStopped', 'archiveStopped']) {
    event(type, { archive })
  }
  assert.deepEqual(told, ['archiveStarted a1', 'archiveStopped a1'])
  assert.equal(session.archives.length, 0)
})

test('leaving is told after the call, alone, and when everything is gone already', async () => {
  const world = start({
    connections: [...WELCOME.connections, other],
    streams: [streamInfo('s1', 'bob')],
  })
  const { session, told, connect, socket } = world
  connect()
  told.length = 0
  let inside
  session.on('sessionDisconnected', () => {
    inside = [session.connection, session.streams.length, session.currentState]
  })
  session.disconnect()
  session.disconnect()
  assert.deepEqual(told, [])
  assert.equal(socket().last('bye')?.type, 'bye')
  await settle()
  assert.deepEqual(told, ['sessionDisconnected clientDisconnected'])
  assert.deepEqual(inside, [null, 0, 'disconnected'])
  assert.equal(world.media.closed, true)
})

test('a session that was left can be connected again', async () => {
  const { session, connect, sockets, told } = start()
  connect()
  session.disconnect()
  await settle()
  told.length = 0
  connect()
  assert.equal(sockets.length, 2)
  assert.deepEqual(told, ['sessionConnected', 'connectionCreated me'])
})

test('who leaves before the connection is there is told so, and nothing of the next one', async () => {
  const { session, connect } = start()
  const told = []
  session.connect('1', 'T1==', (error) => told.push(error?.name))
  session.disconnect()
  await settle()
  assert.deepEqual(told, ['OT_DISCONNECTED'])
  connect()
  await settle()
  assert.deepEqual(told, ['OT_DISCONNECTED'])
  assert.equal(session.currentState, 'connected')
})

test('a server that stops is a lost network to pages, and says more to those that ask', async () => {
  const { session, connect, event, told } = start()
  connect()
  let isServerStopping
  session.on('sessionDisconnected', (event) => {
    isServerStopping = event.isServerStopping
  })
  event('disconnected', { reason: 'serverStopping' })
  assert.equal(told.at(-1), 'sessionDisconnected networkDisconnected')
  assert.equal(isServerStopping, true)
})

test('all may be muted with a callback alone, and null stands for nobody', async () => {
  const { session, connect, socket } = start({ role: 'moderator' })
  connect()
  session.forceMuteAll(() => {})
  await settle()
  assert.deepEqual(socket().last('forceMuteAll').excludedStreamIds, [])
  session.forceMuteAll(null)
  await settle()
  assert.deepEqual(socket().last('forceMuteAll').excludedStreamIds, [])
})

test('a handler that leaves hears nothing more', async () => {
  const { session, connect, told } = start({
    connections: [...WELCOME.connections, other],
    archives: [archive],
  })
  session.on('sessionConnected', () => session.disconnect())
  connect()
  await settle()
  assert.deepEqual(told, ['sessionConnected', 'sessionDisconnected clientDisconnected'])
})

test('being removed, and losing the server for good, are told by their reasons', () => {
  const removed = start()
  removed.connect()
  removed.event('disconnected', { reason: 'forceDisconnected' })
  assert.equal(removed.told.at(-1), 'sessionDisconnected forceDisconnected')
  assert.equal(removed.media.closed, true)

  const lost = start()
  lost.connect()
  lost.socket().lose()
  assert.equal(lost.session.currentState, 'reconnecting')
  lost.timers.pass(WELCOME.graceMs)
  assert.deepEqual(lost.told.slice(-2), [
    'sessionReconnecting',
    'sessionDisconnected networkDisconnected',
  ])
})

test('a short loss is told as reconnecting and reconnected, and what was missed follows', () => {
  const { session, connect, told, timers, event, ...world } = start()
  connect()
  told.length = 0
  world.socket().lose()
  timers.pass(200)
  world.socket().open()
  world.socket().reply('hello', { resumed: true })
  event('connectionCreated', { connection: other })
  assert.deepEqual(told, ['sessionReconnecting', 'sessionReconnected', 'connectionCreated bob'])
  assert.equal(session.currentState, 'connected')
})

test('a refused connection is told to the callback and as an exception, not as an event', async () => {
  const { session, socket, told } = start()
  const heard = []
  exceptions.once('exception', ({ code, target }) => heard.push([code, target === session]))
  session.connect('token', (error) => heard.push(error.name))
  socket().open()
  const error = { code: 1004, name: 'OT_AUTHENTICATION_ERROR', message: 'The token has expired.' }
  socket().reply('hello', { error })
  await settle()
  assert.deepEqual(heard, [[1004, true], 'OT_AUTHENTICATION_ERROR'])
  assert.deepEqual(told, [])
  assert.equal(session.currentState, 'disconnected')
  await assert.rejects(session.connect.promise(''), { code: 1004 })
  await assert.rejects(new Session('key', '').connect.promise('token'), { code: 1005 })
})

test('what a role may not do is refused before the server is asked', async () => {
  const { session, connect, socket } = start({ role: 'subscriber' })
  await assert.rejects(session.publish.promise('publisher'), {
    code: 1010,
    name: 'OT_NOT_CONNECTED',
  })
  connect()
  assert.equal(session.capabilities.publish, 0)
  assert.equal(session.capabilities.subscribe, 1)
  await assert.rejects(session.publish.promise('publisher'), {
    code: 1500,
    name: 'OT_PERMISSION_DENIED',
    message: /at least `publisher`/,
  })
  await assert.rejects(session.forceDisconnect('bob'), { code: 1520 })
  await assert.rejects(session.forceUnpublish('s1'), { code: 1530 })
  await assert.rejects(session.forceMuteAll(), { code: 1540 })
  await assert.rejects(session.subscribe.promise({ streamId: 'gone' }), {
    code: 1501,
    name: 'OT_STREAM_NOT_FOUND',
  })
  assert.deepEqual(
    socket().sent.map(({ type }) => type),
    ['hello'],
  )
})

test('a moderator moderates by objects and by ids', async () => {
  const { session, connect, socket } = start({
    role: 'moderator',
    connections: [...WELCOME.connections, other],
    streams: [streamInfo('s1', 'bob')],
  })
  connect()
  const stream = session.streams.get('s1')
  const asked = [
    session.forceDisconnect(session.connections.get('bob')),
    session.forceUnpublish('s1'),
    session.forceMuteStream(stream),
    session.forceMuteAll([stream]),
    session.disableForceMute(),
  ]
  const sent = socket().sent.slice(1)
  assert.deepEqual(
    sent.map(({ id, ...message }) => message),
    [
      { type: 'forceDisconnect', connectionId: 'bob' },
      { type: 'forceUnpublish', streamId: 's1' },
      { type: 'forceMute', streamId: 's1' },
      { type: 'forceMuteAll', excludedStreamIds: ['s1'] },
      { type: 'disableForceMute' },
    ],
  )
  for (const { id } of sent) socket().deliver({ re: id })
  await Promise.all(asked)
})
