// OpenTok's SDK for Node against a running server: every call, and its error for each refusal.
// A test runs this script (`driver.rs`) with the server as its argument, and plays the clients that the script requests on
// standard output.

import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import OpenTok from 'opentok'

const server = JSON.parse(process.argv[2])
const opentok = new OpenTok(server.key, server.secret, server.url)
const other = new OpenTok(String(server.otherKey), server.otherSecret, { apiUrl: server.url })
const stranger = new OpenTok(server.key, 'not the secret, though as long as one is', server.url)

const NO_SESSION = `2_${Buffer.from(`~${server.key}~~1~x~`).toString('base64url')}`
const NOTHING = '00000000-0000-4000-8000-000000000000'
const { ArchiveError, ArgumentError, AuthError, ForceDisconnectError, NotFoundError, RequestError, SignalError } =
  OpenTok

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

/** Requests an action of a client. */
async function ask(what, details) {
  process.stdout.write(`${JSON.stringify({ ask: what, ...details })}\n`)
  const { value, done } = await lines.next()
  assert.ok(!done, 'nobody answers')
  return JSON.parse(value)
}

const called = new Set()

/** Returns the arguments of a call's callback as a list. */
function call(sdk, name, ...given) {
  called.add(name)
  return new Promise((resolve, reject) => {
    sdk[name](...given, (error, ...results) => (error ? reject(error) : resolve(results)))
  })
}

/** A call by the project that owns the sessions. */
const ours = (name, ...given) => call(opentok, name, ...given)
const first = async (name, ...given) => (await ours(name, ...given))[0]

/** Checks that a call fails with an error of this class whose message matches. */
async function refused(kind, message, promise) {
  const error = await promise.then(
    (result) => assert.fail(`it was done: ${JSON.stringify(result)}`),
    (error) => error,
  )
  assert.ok(error instanceof kind && message.test(error.message), `${error.constructor.name}: ${error.message}`)
}

function token(session, options, isT1) {
  called.add('generateToken')
  return opentok.generateToken(session, options, isT1)
}

async function sessions() {
  const relayed = await first('createSession')
  assert.equal(relayed.mediaMode, 'relayed')
  const routed = await first('createSession', { mediaMode: 'routed', location: '12.34.56.78' })
  assert.notEqual(routed.sessionId, relayed.sessionId)
  await first('createSession', { mediaMode: 'routed', archiveMode: 'always', archiveName: 'all of it' })
  await refused(Error, /archiveName has at most 80 characters/, first('createSession', {
    mediaMode: 'routed', archiveMode: 'always', archiveName: 'x'.repeat(81),
  }))
  await refused(Error, /end-to-end encryption/, first('createSession', { mediaMode: 'routed', e2ee: 'true' }))
  await refused(Error, /Invalid API key or secret/, call(stranger, 'createSession', {}))
  return { relayed: relayed.sessionId, routed: routed.sessionId }
}

async function tokens({ relayed, routed }) {
  for (const session of [relayed, routed]) {
    for (const isT1 of [false, true]) {
      const data = 'name=Ann & "Bob" é 🙂 %20+'
      const ann = await ask('enter', { session, token: token(session, { data }, isT1) })
      assert.equal(ann.data, data)
      for (const role of ['subscriber', 'publisher', 'publisheronly', 'moderator']) {
        await ask('enter', { session, token: token(session, { role }, isT1) })
      }
      const good = token(session, { expireTime: Date.now() / 1000 + 60 }, isT1)
      await ask('enter', { session, token: good })
      const bad = good.slice(0, 30) + (good[30] === 'A' ? 'B' : 'A') + good.slice(31)
      assert.equal(await ask('refusal', { session, token: bad }), 1004)
      const forged = stranger.generateToken(session, {}, isT1)
      assert.equal(await ask('refusal', { session, token: forged }), 1004)
    }
  }
  assert.equal(await ask('refusal', { session: routed, token: token(relayed) }), 1004)
}

async function streams() {
  const { sessionId: session } = await first('createSession', { mediaMode: 'routed' })
  assert.deepEqual(await first('listStreams', session), [])
  const initialLayoutClassList = ['focus', 'small']
  const { connectionId: ann } = await ask('enter', { session, token: token(session, { initialLayoutClassList }) })
  const { connectionId: bob } = await ask('enter', { session, token: token(session) })
  const ofAnn = await ask('publish', { connection: ann, name: 'Ann’s camera' })
  const ofBob = await ask('publish', { connection: bob, name: '' })
  const described = {
    id: ofAnn, videoType: 'camera', name: 'Ann’s camera', layoutClassList: initialLayoutClassList,
  }
  const list = await first('listStreams', session)
  assert.deepEqual(list.map((stream) => ({ ...stream })), [
    described, { id: ofBob, videoType: 'camera', name: '', layoutClassList: [] },
  ])
  assert.deepEqual({ ...(await first('getStream', session, ofAnn)) }, described)
  await refused(RequestError, /no such stream/, first('getStream', session, NOTHING))
  await refused(NotFoundError, /Not Found/, first('listStreams', NO_SESSION))
  await refused(NotFoundError, /Not Found/, call(other, 'listStreams', session))
  await refused(AuthError, /Invalid API key or secret/, call(stranger, 'listStreams', session))

  await ours('setStreamClassLists', session, [{ id: ofBob, layoutClassList: ['full'] }])
  assert.deepEqual((await first('getStream', session, ofBob)).layoutClassList, ['full'])
  await refused(RequestError, /none was changed/, ours('setStreamClassLists', session, [
    { id: NOTHING, layoutClassList: [] },
  ]))
  await refused(RequestError, /layout classes/, ours('setStreamClassLists', session, [
    { id: ofBob, layoutClassList: ['two words'] },
  ]))

  await ours('forceMuteStream', session, ofAnn)
  assert.equal((await ask('event', { connection: ann, type: 'streamMuted' })).streamId, ofAnn)
  await refused(NotFoundError, /Not Found/, ours('forceMuteStream', session, NOTHING))
  await ours('forceMuteAll', session, { excludedStreams: [ofAnn] })
  assert.equal((await ask('event', { connection: bob, type: 'streamMuted' })).streamId, ofBob)
  assert.equal((await ask('event', { connection: ann, type: 'muteForced' })).active, true)
  await ours('disableForceMute', session)
  assert.equal((await ask('event', { connection: ann, type: 'muteForced' })).active, false)
  await ours('forceMuteAll', session, {})
  assert.equal((await ask('event', { connection: ann, type: 'muteForced' })).active, true)
  await refused(NotFoundError, /Not Found/, ours('forceMuteAll', NO_SESSION, {}))
  await refused(NotFoundError, /Not Found/, ours('disableForceMute', NO_SESSION))
  await refused(AuthError, /Invalid API key or secret/, call(stranger, 'disableForceMute', session))

  const heard = async (connection) => {
    const { signalType, data, from } = await ask('event', { connection, type: 'signal' })
    assert.ok(from == null)
    return [signalType, data]
  }
  await ours('signal', session, null, { type: 'chat', data: 'to all' })
  assert.deepEqual(await heard(ann), ['chat', 'to all'])
  assert.deepEqual(await heard(bob), ['chat', 'to all'])
  await ours('signal', session, bob, { type: 'chat', data: 'to Bob' })
  await ours('signal', session, null, { type: 'last', data: '' })
  assert.deepEqual(await heard(bob), ['chat', 'to Bob'])
  assert.deepEqual(await heard(ann), ['last', ''])
  await refused(RequestError, /a signal needs data/, ours('signal', session, null, { type: 'chat' }))
  await refused(RequestError, /8192/, ours('signal', session, null, { data: 'x'.repeat(8193) }))
  await refused(RequestError, /128/, ours('signal', session, null, { type: 'x'.repeat(129), data: '' }))
  await refused(SignalError, /not found/, ours('signal', session, NOTHING, { data: '' }))
  await refused(SignalError, /not found/, ours('signal', NO_SESSION, null, { data: '' }))
  await refused(AuthError, /Invalid API key or secret/, call(stranger, 'signal', session, null, { data: '' }))

  await refused(AuthError, /Invalid API key or secret/, call(stranger, 'forceDisconnect', session, bob))
  await refused(ForceDisconnectError, /not found/, call(other, 'forceDisconnect', session, bob))
  await ours('forceDisconnect', session, bob)
  assert.equal((await ask('event', { connection: bob, type: 'disconnected' })).reason, 'forceDisconnected')
  await refused(ForceDisconnectError, /not found/, ours('forceDisconnect', session, bob))
}

async function archives({ relayed }) {
  const { sessionId: session } = await first('createSession', { mediaMode: 'routed' })
  await refused(ArchiveError, /Session not found/, first('startArchive', session, {}))
  await refused(ArchiveError, /Session not found/, first('startArchive', NO_SESSION, {}))
  await refused(RequestError, /relayed/, first('startArchive', relayed, {}))
  await ask('film', { session, token: token(session) })
  const [{ id: stream }] = await first('listStreams', session)

  const refuse = (kind, message, options) => refused(kind, message, first('startArchive', session, options))
  await refuse(RequestError, /audio, video or both/, { hasAudio: false, hasVideo: false })
  await refuse(RequestError, /has a resolution/, { outputMode: 'individual', resolution: '640x480' })
  await refuse(RequestError, /640x480/, { resolution: '1x1' })
  await refuse(RequestError, /stylesheet/, { layout: { type: 'custom', stylesheet: 'stream {}' } })
  await refuse(RequestError, /transcription/, { hasTranscription: true })
  await refused(AuthError, /Invalid API key or secret/, call(stranger, 'startArchive', session, {}))
  const composed = await first('startArchive', session, {
    name: 'Talk', resolution: '1280x720', layout: { type: 'pip' }, maxBitrate: 500000,
  })
  const { id, name, status, sessionId, resolution, outputMode, streamMode, partnerId, projectId, url } = composed
  assert.deepEqual(
    { name, status, sessionId, resolution, outputMode, streamMode, partnerId, projectId, url },
    {
      name: 'Talk', status: 'started', sessionId: session, resolution: '1280x720', outputMode: 'composed',
      streamMode: 'auto', partnerId: server.key, projectId: server.key, url: null,
    },
  )
  assert.ok(Math.abs(Date.now() - composed.createdAt) < 60_000)
  await refuse(RequestError, /already being recorded/, {})
  const byHand = await first('startArchive', session, {
    multiArchiveTag: 'second', outputMode: 'individual', streamMode: 'manual',
  })
  assert.equal(byHand.multiArchiveTag, 'second')

  await ours('addArchiveStream', byHand.id, stream, { hasVideo: false })
  assert.deepEqual((await first('getArchive', byHand.id)).streams, [
    { streamId: stream, hasAudio: true, hasVideo: false },
  ])
  await ours('removeArchiveStream', byHand.id, stream)
  assert.deepEqual((await first('getArchive', byHand.id)).streams, [])
  await ours('addArchiveStream', byHand.id, stream)
  await refused(ArgumentError, /Invalid request/, ours('addArchiveStream', byHand.id, stream, {
    hasAudio: false, hasVideo: false,
  }))
  await refused(ArchiveError, /not found/, ours('addArchiveStream', byHand.id, NOTHING))
  await refused(ArchiveError, /not found/, ours('removeArchiveStream', NOTHING, stream))
  await refused(ArchiveError, /Unsupported Stream Mode/, ours('addArchiveStream', id, stream))
  await refused(AuthError, /Invalid API key or secret/, call(stranger, 'addArchiveStream', id, stream))

  for (const layout of ['bestFit', 'verticalPresentation', 'horizontalPresentation', 'pip']) {
    await ours('setArchiveLayout', id, layout, null, null)
  }
  await ours('setArchiveLayout', id, 'bestFit', null, 'focus')
  await refused(RequestError, /stylesheet/, ours('setArchiveLayout', id, 'custom', 'stream {}', null))
  await refused(RequestError, /bestFit/, ours('setArchiveLayout', id, 'round', null, null))
  await refused(NotFoundError, /Not Found/, ours('setArchiveLayout', NOTHING, 'pip', null, null))
  await refused(AuthError, /Invalid API key or secret/, call(stranger, 'setArchiveLayout', id, 'pip', null, null))

  await ask('time')
  await refused(RequestError, /cannot be deleted yet/, ours('deleteArchive', id))
  const stopped = await first('stopArchive', id)
  assert.deepEqual([stopped.id, stopped.status, stopped.reason], [id, 'stopped', 'user initiated'])
  await refused(ArchiveError, /./, first('stopArchive', id))
  await refused(ArchiveError, /Archive not found/, first('stopArchive', NOTHING))
  await refused(ArchiveError, /Archive not found/, call(other, 'stopArchive', id))
  await refused(AuthError, /Invalid API key or secret/, call(stranger, 'stopArchive', id))
  called.add('Archive.stop')
  await new Promise((resolve, reject) => byHand.stop((error) => (error ? reject(error) : resolve())))
  await refused(RequestError, /./, ours('addArchiveStream', byHand.id, stream))
  await refused(RequestError, /./, ours('setArchiveLayout', id, 'pip', null, null))

  for (const [archive, magic] of [[id, 'ftyp'], [byHand.id, 'PK']]) {
    await ask('status', { archive, status: 'available' })
    const done = await first('getArchive', archive)
    assert.equal(done.status, 'available')
    const file = await fetch(done.url)
    assert.equal(file.status, 200)
    const bytes = Buffer.from(await file.arrayBuffer())
    assert.equal(bytes.length, done.size)
    assert.ok(bytes.subarray(0, 12).includes(magic))
    assert.ok(done.duration > 0)
  }
  await refused(NotFoundError, /Archive not found/, first('getArchive', NOTHING))
  await refused(NotFoundError, /Archive not found/, call(other, 'getArchive', id))
  await refused(AuthError, /Invalid API key or secret/, call(stranger, 'getArchive', id))

  const [all, count] = await ours('listArchives', {})
  assert.deepEqual([all.map((archive) => archive.id), count], [[byHand.id, id], 2])
  const [page, total] = await ours('listArchives', { offset: 1, count: 1, sessionId: session })
  assert.deepEqual([page.map((archive) => archive.id), total], [[id], 2])
  assert.deepEqual(await ours('listArchives', { sessionId: NO_SESSION }), [[], 0])
  assert.deepEqual(await call(other, 'listArchives', {}), [[], 0])
  await refused(RequestError, /count/, ours('listArchives', { count: 1001 }))
  await refused(AuthError, /Invalid API key or secret/, call(stranger, 'listArchives', {}))

  await refused(AuthError, /Invalid API key or secret/, call(stranger, 'deleteArchive', id))
  await refused(ArchiveError, /Archive not found/, call(other, 'deleteArchive', id))
  await ours('deleteArchive', id)
  await refused(NotFoundError, /Archive not found/, first('getArchive', id))
  await refused(ArchiveError, /Archive not found/, ours('deleteArchive', NOTHING))
  called.add('Archive.delete')
  await new Promise((resolve, reject) => all[0].delete((error) => (error ? reject(error) : resolve())))
  assert.deepEqual(await ours('listArchives', {}), [[], 0])

  const always = await first('createSession', {
    mediaMode: 'routed', archiveMode: 'always', archiveName: 'All of it', archiveResolution: '480x640',
  })
  await ask('film', { session: always.sessionId, token: always.generateToken() })
  const [[own]] = await ours('listArchives', { sessionId: always.sessionId })
  assert.deepEqual([own.name, own.status, own.resolution], ['All of it', 'started', '480x640'])
  await first('stopArchive', own.id)
}

/** Features that this server does not offer are refused with a sentence. */
async function notOffered({ routed: session }) {
  const token = 'x'
  const sip = 'sip:user@example.org'
  const hls = { outputs: { hls: {} } }
  const no = (message, name, ...given) => refused(Error, message, ours(name, ...given))
  await no(/does not offer live streaming/, 'startBroadcast', session, hls)
  await no(/does not offer live streaming/, 'stopBroadcast', NOTHING)
  await no(/does not offer live streaming/, 'getBroadcast', NOTHING)
  // This call expects a list in every body.
  await no(/./, 'listBroadcasts', {})
  await no(/does not offer live streaming/, 'setBroadcastLayout', NOTHING, 'pip', null, null)
  await no(/does not offer live streaming/, 'addBroadcastStream', NOTHING, NOTHING, {})
  await no(/does not offer live streaming/, 'removeBroadcastStream', NOTHING, NOTHING)
  await no(/does not offer SIP/, 'dial', session, token, sip, {})
  await no(/does not offer SIP/, 'playDTMF', session, null, '1')
  await no(/does not offer SIP/, 'playDTMF', session, NOTHING, '1')
  await no(/does not offer the audio connector/, 'websocketConnect', session, token, 'wss://example.org', {})
  await no(/does not offer captions/, 'startCaptions', session, token, {})
  await no(/does not offer captions/, 'stopCaptions', NOTHING)
  await no(/does not offer rendering/, 'startRender', { sessionId: session, token, url: 'https://example.org' })
  await no(/does not offer rendering/, 'getRender', NOTHING)
  await no(/does not offer rendering/, 'stopRender', NOTHING)
  await no(/does not offer rendering/, 'listRenders', {})
}

async function callbacks() {
  assert.deepEqual(await first('listCallbacks'), [])
  const url = 'https://receiver.invalid/events'
  const made = []
  for (const [group, event] of [['connection', 'created'], ['stream', 'destroyed'], ['archive', 'status']]) {
    const callback = await first('registerCallback', { group, event, url })
    assert.deepEqual([callback.group, callback.event, callback.url], [group, event, url])
    assert.ok(Math.abs(Date.now() - callback.createdAt) < 60_000)
    made.push(callback)
  }
  const moved = await first('registerCallback', { group: 'archive', event: 'status', url: `${url}?2` })
  assert.deepEqual([moved.id, moved.url], [made[2].id, `${url}?2`])
  const plain = (list) => list.map(({ id, group, event }) => ({ id, group, event }))
  assert.deepEqual(plain(await first('listCallbacks')), plain(made))
  assert.deepEqual(await call(other, 'listCallbacks').then(([list]) => list), [])

  const refuse = (message, options) => refused(RequestError, message, ours('registerCallback', options))
  await refuse(/one of these pairs/, { event: 'created', url })
  await refuse(/one of these pairs/, { group: 'connection', url })
  await refuse(/one of these pairs/, { group: 'connection', event: 'status', url })
  await refuse(/http or https/, { group: 'connection', event: 'created' })
  await refuse(/not on the public internet/, { group: 'connection', event: 'created', url: 'http://127.0.0.1:1/' })
  await refused(AuthError, /Invalid API key or secret/, call(stranger, 'registerCallback', {
    group: 'connection', event: 'created', url,
  }))
  await refused(NotFoundError, /Not Found/, call(other, 'unregisterCallback', made[0].id))
  await refused(NotFoundError, /Not Found/, ours('unregisterCallback', NOTHING))
  for (const { id } of made) await ours('unregisterCallback', id)
  assert.deepEqual(await first('listCallbacks'), [])
}

const made = await sessions()
await tokens(made)
await streams()
await archives(made)
await notOffered(made)
await callbacks()

called.add('generateJwt') // Every call above is signed with it.
const there = new Set()
for (let object = opentok; object !== Object.prototype; object = Object.getPrototypeOf(object)) {
  for (const name of Object.getOwnPropertyNames(object)) {
    if (typeof object[name] === 'function' && name !== 'constructor') there.add(name)
  }
}
assert.deepEqual([...there].filter((name) => !called.has(name)), [], 'calls of the SDK that nothing here makes')
process.stdout.write(`${JSON.stringify({ ask: 'done', called: [...called] })}\n`)
process.exit(0)
