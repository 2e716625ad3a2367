import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { FakePairConnection } from '../../testing/fakes.js'
import { OpenTokError } from '../errors.js'
import { P2pNegotiator } from './negotiation.js'

const CAMERA = { kind: 'video', getSettings: () => ({ width: 640, height: 480 }) }
const MICROPHONE = { kind: 'audio' }
const TRACKS = [
  { kind: 'audio', track: MICROPHONE },
  { kind: 'video', track: CAMERA, encodings: [{ rid: 'h' }, { rid: 'f', maxBitrate: 800_000 }] },
]

/** Ann and Bob, a server between them that hands on, and a clock that the test moves. */
async function world(run) {
  mock.timers.enable({ apis: ['setTimeout'] })
  const world = { failed: [], messages: [], refuse: () => null, reachable: true }
  const people = {}
  const enter = (own) => {
    const connections = []
    const negotiator = new P2pNegotiator({
      own,
      request: async (message) => {
        const error = world.refuse(message)
        if (error) throw error
        world.messages.push(`${own} ${message.type}${message.restart ? ' restart' : ''}`)
        const { to, ...rest } = message
        people[to]?.negotiator.handle({ ...rest, from: own })
      },
      createConnection: () => {
        const connection = new FakePairConnection()
        connections.push(connection)
        return connection
      },
      reachable: () => world.reachable,
      failed: (streamId) => world.failed.push(`${own} ${streamId}`),
    })
    people[own] = { negotiator, connections }
    return people[own]
  }
  world.ann = enter('ann')
  world.bob = enter('bob')
  world.settle = async () => {
    for (let turn = 0; turn < 10; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve))
      mock.timers.tick(0)
    }
  }
  world.pass = async (ms) => {
    mock.timers.tick(ms)
    await world.settle()
  }
  world.connect = () => {
    for (const { connections } of [world.ann, world.bob]) {
      for (const connection of connections) connection.become('connected')
    }
  }
  try {
    await run(world)
  } finally {
    mock.timers.reset()
  }
}

test('who subscribes asks, the publisher offers, and both hear of the ways there are', () =>
  world(async ({ ann, bob, messages, failed, settle, pass, connect }) => {
    ann.negotiator.publish('s1', TRACKS)
    const states = []
    const { receiver } = bob.negotiator.subscribe('s1', 'ann', {}, (state) => states.push(state))
    await settle()
    await pass(50)
    const { audio, video } = await receiver.receivers
    assert.deepEqual([audio.track.kind, video.track.kind], ['audio', 'video'])
    assert.deepEqual(messages, [
      'bob peer.want',
      'ann peer.sdp',
      'bob peer.sdp',
      'ann peer.ice',
      'bob peer.ice',
    ])
    const [[to], [from]] = [ann.connections, bob.connections]
    assert.deepEqual(
      to.senders.map(({ track }) => track),
      [MICROPHONE, CAMERA],
    )
    assert.equal(to.remoteDescription.sdp, 'answer to offer 0')
    assert.deepEqual([to.candidates, from.candidates], [['of answer to offer 0'], ['of offer 0']])
    connect()
    assert.deepEqual(states, ['connected'])
    assert.equal(ann.negotiator.isConnected && bob.negotiator.isConnected, true)
    await pass(60_000)
    assert.deepEqual(failed, [])
  }))

test('no more is sent than is wanted', () =>
  world(async ({ ann, bob, settle }) => {
    ann.negotiator.publish('s1', TRACKS)
    const { receiver } = bob.negotiator.subscribe(
      's1',
      'ann',
      { height: 240, audio: false },
      () => {},
    )
    await settle()
    const [audio, video] = ann.connections[0].senders
    const encoding = () => video.parameters.encodings[0]
    assert.equal(audio.track, null)
    assert.equal(video.track, CAMERA)
    assert.deepEqual(encoding(), { scaleResolutionDownBy: 2, maxBitrate: 400_000 })
    receiver.ask({ height: 1, frameRate: 7 })
    await settle()
    assert.deepEqual(encoding(), {
      scaleResolutionDownBy: 8,
      maxBitrate: 150_000,
      maxFramerate: 7,
    })
    receiver.ask({ audio: true, video: false, height: 0, frameRate: 0 })
    await settle()
    assert.deepEqual([audio.track, video.track], [MICROPHONE, null])
    // Another camera is not shown either, until it is wanted.
    const other = { ...CAMERA }
    await ann.negotiator.replaceTrack('s1', 'video', other)
    assert.equal(video.track, null)
    receiver.ask({ video: true })
    await settle()
    assert.equal(video.track, other)
    assert.deepEqual(encoding(), { scaleResolutionDownBy: 1, maxBitrate: 800_000 })
  }))

test('who comes later gets what is sent by then', () =>
  world(async ({ ann, bob, settle }) => {
    ann.negotiator.publish('s1', TRACKS)
    await ann.negotiator.replaceTrack('s1', 'video', null)
    bob.negotiator.subscribe('s1', 'ann', {}, () => {})
    await settle()
    assert.deepEqual(
      ann.connections[0].senders.map(({ track }) => track),
      [MICROPHONE, null],
    )
  }))

test('browsers that find no way within five seconds say so, but not while the server is away', () =>
  world(async (world) => {
    const { ann, bob, failed, settle, pass } = world
    ann.negotiator.publish('s1', TRACKS)
    bob.negotiator.subscribe('s1', 'ann', {}, () => {})
    await settle()
    world.reachable = false
    await pass(5000)
    assert.deepEqual(failed, [])
    world.reachable = true
    await pass(4999)
    assert.deepEqual(failed, [])
    await pass(1)
    assert.deepEqual(failed.sort(), ['ann s1', 'bob s1'])
  }))

test('a publisher that never offers has failed, too', () =>
  world(async ({ bob, failed, pass }) => {
    bob.negotiator.subscribe('s1', 'ann', {}, () => {})
    await pass(5000)
    assert.deepEqual(failed, ['bob s1'])
  }))

test('a broken way is replaced, or has failed', () =>
  world(async ({ ann, bob, messages, failed, settle, pass, connect }) => {
    ann.negotiator.publish('s1', TRACKS)
    bob.negotiator.subscribe('s1', 'ann', {}, () => {})
    await settle()
    await pass(50)
    connect()
    messages.length = 0
    bob.connections[0].become('disconnected')
    await pass(2999)
    assert.deepEqual(messages, [])
    await pass(1)
    assert.equal(messages[0], 'bob peer.want restart')
    assert.equal(ann.connections[0].restarts, 1)
    assert.equal(bob.connections[0].remoteDescription.sdp, 'offer 1')
    connect()
    await pass(10_000)
    assert.deepEqual(failed, [])

    bob.connections[0].become('failed')
    await settle()
    assert.equal(failed.length, 0)
    await pass(5000)
    assert.deepEqual(failed, ['bob s1'])
  }))

test('whoever ends a subscription is not sent to any more', () =>
  world(async ({ ann, bob, messages, settle, pass }) => {
    ann.negotiator.publish('s1', TRACKS)
    const { close } = bob.negotiator.subscribe('s1', 'ann', {}, () => {})
    await settle()
    assert.equal(ann.negotiator.senders('s1').length, 1)
    close()
    close()
    await settle()
    assert.equal(ann.negotiator.senders('s1').length, 0)
    assert.equal(ann.connections[0].connectionState, 'closed')
    assert.equal(bob.connections[0].connectionState, 'closed')
    await pass(60_000)
    assert.equal(messages.filter((message) => message.endsWith('bye')).length, 1)
  }))

test('whoever is gone is not waited for', () =>
  world(async (world) => {
    const { ann, bob, failed, settle, pass } = world
    ann.negotiator.publish('s1', TRACKS)
    bob.negotiator.subscribe('s1', 'ann', {}, () => {})
    await settle()
    ann.negotiator.left('bob')
    assert.equal(ann.connections[0].connectionState, 'closed')

    bob.negotiator.subscribe('s1', 'ann', {}, () => {})
    world.refuse = () => new OpenTokError(1501, 'OT_NOT_FOUND', 'gone')
    await settle()
    assert.equal(ann.connections[1].connectionState, 'closed')
    world.refuse = () => null
    await pass(4999)
    assert.deepEqual(failed, [])
  }))

test('what was too much at once is said again a little later', () =>
  world(async (world) => {
    const { ann, bob, settle, pass } = world
    ann.negotiator.publish('s1', TRACKS)
    world.refuse = () => new OpenTokError(429, 'OT_RATE_LIMIT_EXCEEDED', 'too fast')
    bob.negotiator.subscribe('s1', 'ann', {}, () => {})
    await settle()
    assert.equal(ann.connections.length, 0)
    world.refuse = () => null
    await pass(500)
    assert.equal(ann.connections.length, 1)
  }))

test('messages about pairs that are over, or of somebody else, change nothing', () =>
  world(async ({ ann, bob, settle }) => {
    ann.negotiator.publish('s1', TRACKS)
    const { receiver } = bob.negotiator.subscribe('s1', 'ann', {}, () => {})
    await settle()
    const offer = { type: 'offer', sdp: 'forged' }
    bob.negotiator.handle({
      type: 'peer.sdp',
      from: 'eve',
      streamId: 's2',
      pair: 1,
      description: offer,
    })
    bob.negotiator.handle({
      type: 'peer.sdp',
      from: 'ann',
      streamId: 's1',
      pair: 9,
      description: offer,
    })
    ann.negotiator.handle({ type: 'peer.bye', from: 'eve', streamId: 's1', pair: 1 })
    await settle()
    assert.equal(bob.connections[0].remoteDescription.sdp, 'offer 0')
    assert.equal(ann.negotiator.senders('s1').length, 1)
    assert.equal(receiver.to, 'ann')
  }))

test('an answer that comes twice is taken once', () =>
  world(async ({ ann, bob, settle }) => {
    ann.negotiator.publish('s1', TRACKS)
    bob.negotiator.subscribe('s1', 'ann', {}, () => {})
    await settle()
    const again = { type: 'answer', sdp: 'again' }
    ann.negotiator.handle({
      type: 'peer.sdp',
      from: 'bob',
      streamId: 's1',
      pair: 1,
      description: again,
    })
    await settle()
    assert.equal(ann.connections[0].remoteDescription.sdp, 'answer to offer 0')
  }))

test("one's own stream can be looked at without a detour", () =>
  world(async ({ ann, messages, settle, pass }) => {
    ann.negotiator.publish('s1', TRACKS)
    const { receiver, close } = ann.negotiator.subscribe('s1', 'ann', {}, () => {})
    await settle()
    await pass(50)
    assert.ok((await receiver.receivers).video)
    assert.deepEqual(messages, [])
    const [receives, sends] = ann.connections
    assert.deepEqual(
      [sends.candidates, receives.candidates],
      [['of answer to offer 0'], ['of offer 0']],
    )
    close()
    await settle()
    assert.equal(sends.connectionState, 'closed')
  }))
