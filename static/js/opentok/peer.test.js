import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { FakePeerConnection, settle } from '../testing/fakes.js'
import { OpenTokError } from './errors.js'
import { Peer } from './peer.js'

const peers = []
afterEach(() => {
  for (const peer of peers.splice(0)) peer.close()
})

/** A peer whose connection and server the test holds; the server answers when `answer` is called. */
function start(options = {}) {
  const connection = new FakePeerConnection()
  const offers = []
  const waiting = []
  const peer = new Peer({
    createConnection: () => connection,
    sendOffer: (makeOffer) => {
      offers.push(makeOffer())
      return new Promise((resolve, reject) => waiting.push({ resolve, reject, makeOffer }))
    },
    ...options,
  })
  peers.push(peer)
  const answer = async (generation = offers.at(-1).generation) => {
    waiting.shift().resolve({ generation, sdp: 'answer' })
    await settle()
  }
  return { peer, connection, offers, waiting, answer }
}

const CAMERA = [
  { kind: 'audio', track: { kind: 'audio' } },
  { kind: 'video', track: { kind: 'video' } },
]

test('nothing is negotiated before there is something to send or to receive', async () => {
  const { connection, offers, peer } = start()
  await settle()
  assert.equal(offers.length, 0)
  assert.equal(connection.transceivers.length, 0)
  assert.equal(peer.state, 'new')
})

test('the first offer has the tracks and two slots', async () => {
  const { peer, offers, answer } = start()
  const published = peer.publish('s1', CAMERA)
  await settle()
  const [{ generation, tracks, slots }] = offers
  assert.equal(generation, 1)
  assert.deepEqual(tracks, [
    { mid: '4', streamId: 's1', kind: 'audio' },
    { mid: '5', streamId: 's1', kind: 'video' },
  ])
  assert.deepEqual(slots, [
    { slot: 0, audioMid: '0', videoMid: '1' },
    { slot: 1, audioMid: '2', videoMid: '3' },
  ])
  await answer()
  assert.equal((await published).video.mid, '5')
})

test('a token that may not subscribe has no slots', async () => {
  const { peer, offers } = start({ receives: false })
  peer.publish('s1', CAMERA).catch(() => {})
  await settle()
  assert.deepEqual(offers[0].slots, [])
})

test('slots are made for several at once and used again without another offer', async () => {
  const { peer, offers, answer } = start()
  const taken = [peer.takeSlot(), peer.takeSlot(), peer.takeSlot()]
  await settle()
  assert.equal(offers.length, 1)
  assert.equal(offers[0].slots.length, 4)
  await answer()
  assert.deepEqual(
    (await Promise.all(taken)).map(({ slot }) => slot),
    [0, 1, 2],
  )
  peer.freeSlot(1)
  assert.equal((await peer.takeSlot()).slot, 1)
  assert.equal((await peer.takeSlot()).slot, 3)
  await settle()
  assert.equal(offers.length, 1)
})

test('one negotiation is in flight; what is asked for meanwhile goes into the next', async () => {
  const { peer, offers, answer } = start()
  peer.takeSlot().catch(() => {})
  await settle()
  const published = peer.publish('s1', CAMERA)
  const other = peer.publish('s2', CAMERA)
  await settle()
  assert.equal(offers.length, 1)
  await answer()
  assert.equal(offers.length, 2)
  assert.equal(offers[1].generation, 2)
  assert.equal(offers[1].tracks.length, 4)
  await answer()
  await Promise.all([published, other])
  assert.equal(offers.length, 2)
})

test('an answer to another offer is not believed', async () => {
  const { peer, connection, answer } = start()
  const taken = peer.takeSlot()
  await settle()
  const refused = assert.rejects(taken, { name: 'OT_UNEXPECTED_SERVER_RESPONSE' })
  await answer(99)
  await refused
  assert.equal(connection.signalingState, 'stable')
})

test('an offer that is sent again has a new number', async () => {
  const { peer, waiting, answer } = start()
  const taken = peer.takeSlot()
  await settle()
  const again = waiting[0].makeOffer()
  assert.equal(again.generation, 2)
  await answer(2)
  assert.equal((await taken).slot, 0)
})

test('a refused stream is not offered again', async () => {
  const { peer, offers, waiting, answer } = start()
  const published = peer.publish('s1', CAMERA)
  await settle()
  waiting.shift().reject(new Error('no'))
  await assert.rejects(published)
  peer.takeSlot().catch(() => {})
  await settle()
  assert.deepEqual(offers[1].tracks, [])
  assert.equal(offers[1].slots.length, 2)
  await answer()
})

test('an ended stream leaves the next offer', async () => {
  const { peer, connection, offers, answer } = start()
  peer.publish('s1', CAMERA).catch(() => {})
  await settle()
  await answer()
  peer.unpublish('s1')
  await settle()
  assert.deepEqual(offers[1].tracks, [])
  assert.equal(connection.transceivers.filter(({ stopped }) => stopped).length, 2)
})

test('a failed path is looked for again', async () => {
  const states = []
  const { peer, connection, offers, answer } = start({ onState: (state) => states.push(state) })
  peer.takeSlot().catch(() => {})
  await settle()
  await answer()
  connection.become('connected')
  connection.become('failed')
  await settle()
  assert.equal(connection.restarts, 1)
  assert.equal(offers.length, 2)
  await answer()
  peer.close()
  assert.deepEqual(states, ['connected', 'failed'])
})

test('a disconnected path is given three seconds to come back', async (t) => {
  const { peer, connection, answer } = start()
  peer.takeSlot().catch(() => {})
  await settle()
  await answer()
  connection.become('connected')
  t.mock.timers.enable({ apis: ['setTimeout'] })
  connection.become('disconnected')
  t.mock.timers.tick(2999)
  connection.become('connected')
  t.mock.timers.tick(10_000)
  assert.equal(connection.restarts, 0)
  connection.become('disconnected')
  t.mock.timers.tick(3000)
  assert.equal(connection.restarts, 1)
  peer.close()
})

test('whoever waits for the connection hears how it went', async (t) => {
  const { peer, connection } = start()
  peer.takeSlot().catch(() => {})
  const up = peer.connected()
  connection.become('connected')
  assert.equal(await up, true)

  connection.become('disconnected')
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const late = peer.connected(1000)
  t.mock.timers.tick(1000)
  assert.equal(await late, false)
  t.mock.timers.reset()

  const never = peer.connected()
  peer.close()
  assert.equal(await never, false)
})

test('a closed peer refuses', async () => {
  const { peer, offers, waiting } = start()
  const taken = peer.takeSlot()
  await settle()
  peer.close()
  waiting.shift().resolve({ generation: offers[0].generation, sdp: '' })
  await assert.rejects(taken, { name: 'OT_DISCONNECTED' })
  await assert.rejects(peer.publish('s1', CAMERA), { name: 'OT_DISCONNECTED' })
})

test('an offer that was refused for a moment is made again, without what has ended meanwhile', async () => {
  const { peer, offers, waiting, answer } = start()
  peer.publish('s1', CAMERA).catch(() => {})
  await settle()
  await answer()
  const published = peer.publish('s2', CAMERA)
  await settle()
  waiting.shift().reject(new OpenTokError(1500, 'OT_STREAM_NOT_FOUND', 'Ended.'))
  peer.unpublish('s1')
  while (offers.length < 3) await settle()
  assert.deepEqual(
    offers.map(({ tracks }) => tracks.map(({ streamId }) => streamId)),
    [
      ['s1', 's1'],
      ['s1', 's1', 's2', 's2'],
      ['s2', 's2'],
    ],
  )
  await answer()
  assert.ok((await published).video)
})
