import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answeredAtOnce, EMPTY, isFree, lost, reduce, resume } from './state.js'

const ANN = { id: 'a', name: 'Ann' }
const BOB = { id: 'b', name: 'Bob' }
const BOB2 = { id: 'b2', name: 'Bob', number: 2 }
const NOW = 1_000_000

const MINE = {
  me: ANN,
  availability: 'available',
  outgoing: null,
  incoming: [],
  chat: null,
  missed: [],
}
const CHAT = { sessionId: 's', with: BOB, isInviter: true, startedAtMs: NOW, tab: 't' }

/** The state after all of this news, and the last announcement. */
function after(...news) {
  let last = resume(EMPTY, MINE, NOW)
  for (const each of news) last = reduce(last.state, each, NOW)
  return last
}

const calling = { type: 'calling', invitation: 'i', to: BOB, ringsForMs: 45_000 }
const ringing = (invitation, from) => ({ type: 'ringing', invitation, from, ringsForMs: 30_000 })

test('who calls is not free, and hears what came of it', () => {
  const waiting = after(calling)
  assert.equal(waiting.said.text, 'Calling Bob.')
  assert.deepEqual(waiting.state.outgoing, { invitation: 'i', person: BOB, endsAt: NOW + 45_000 })
  assert.ok(!isFree(waiting.state))
  for (const [outcome, title] of Object.entries({
    declined: 'Bob declined.',
    tookAnother: 'Bob took another call.',
    noAnswer: 'Bob did not answer.',
    gone: 'Bob is offline.',
    doNotDisturb: 'Bob has do-not-disturb on.',
    cancelled: 'Call cancelled.',
  })) {
    const { state, said } = after(calling, { type: 'answered', invitation: 'i', outcome })
    assert.equal(state.outgoing, null)
    assert.equal(state.notice.title, title)
    assert.equal(state.notice.person, BOB)
    assert.ok(said.text.startsWith(title))
    assert.ok(isFree(state))
  }
})

test('several ring at once, the oldest first, each until it is over', () => {
  const { state, said } = after(ringing('1', BOB), ringing('2', BOB2), ringing('1', BOB))
  assert.deepEqual(
    state.incoming.map(({ invitation }) => invitation),
    ['1', '2'],
  )
  assert.equal(said, null)
  assert.deepEqual(after(ringing('2', BOB2)).said, {
    text: 'Bob (2) is calling.',
    urgent: true,
  })
  const one = reduce(state, { type: 'cancelled', invitation: '2', outcome: 'cancelled' }, NOW)
  assert.equal(one.said.text, 'Bob (2) cancelled the call.')
  assert.equal(one.state.incoming.length, 1)
  assert.ok(isFree(one.state))
})

test('an invitation that is over already is nobody’s', () => {
  const { state, said } = after({ type: 'answered', invitation: 'x', outcome: 'declined' })
  assert.equal(state.notice, null)
  assert.equal(said, null)
})

test('a call ends everything that rings, and its own end tells both why', () => {
  const { state } = after(calling, ringing('2', BOB2), { type: 'chatStarted', ...CHAT })
  assert.equal(state.outgoing, null)
  assert.deepEqual(state.incoming, [])
  assert.equal(state.chat.sessionId, 's')
  const end = { type: 'chatEnded', sessionId: 's', with: BOB }
  const title = (more) => reduce(state, { ...end, ...more }, NOW + 65_000).state.notice.title
  assert.equal(title({ reason: 'ended', by: 'b' }), 'Bob ended the call.')
  assert.equal(title({ reason: 'ended', by: 'a' }), 'You ended the call with Bob.')
  assert.equal(title({ reason: 'gone', by: 'b' }), 'The call ended: Bob went offline.')
  assert.equal(title({ reason: 'notConnected', by: 'b' }), "Couldn't connect to Bob.")
  const over = reduce(state, { ...end, reason: 'ended', by: 'b' }, NOW + 65_000)
  assert.match(over.state.notice.text, /It lasted 1:05\./)
  assert.equal(over.state.chat, null)
})

test('the end of another call is not the end of this one', () => {
  const { state } = after({ type: 'chatStarted', ...CHAT })
  const other = { type: 'chatEnded', sessionId: 'old', with: BOB, reason: 'ended', by: 'b' }
  assert.equal(reduce(state, other, NOW).state, state)
})

test('missed calls stay listed, once for each caller, the latest first, until they are seen to', () => {
  const call = (from, count) => ({ from, atMs: NOW, count, outcome: 'noAnswer' })
  const missed = (from, count) => ({ type: 'missed', call: call(from, count) })
  const { state } = after(missed(BOB, 1), missed(BOB2, 1), missed(BOB, 2))
  assert.deepEqual(state.missed, [call(BOB, 2), call(BOB2, 1)])
  const seen = (from) => reduce(state, { type: 'missedSeen', from }, NOW).state.missed
  assert.deepEqual(seen('b'), [call(BOB2, 1)])
  assert.deepEqual(seen(null), [])
})

test('whoever is back takes over how things are, and is told what ended meanwhile', () => {
  const { state } = after({ type: 'chatStarted', ...CHAT })
  const still = resume(state, { ...MINE, chat: { ...CHAT, tab: null } }, NOW + 5000)
  assert.equal(still.state.chat.tab, null)
  assert.equal(still.state.chat.begunAt, NOW)
  assert.equal(still.state.notice, null)
  const over = resume(state, MINE, NOW + 5000)
  assert.equal(over.state.notice.title, 'The call with Bob is over.')
  const unanswered = resume(after(calling).state, MINE, NOW)
  assert.equal(unanswered.state.notice.title, 'The call to Bob is over.')
  const rings = resume(state, { ...MINE, chat: CHAT, incoming: [ringing('9', BOB2)] }, NOW)
  assert.ok(rings.said.urgent)
})

test('a call that the server knows no more is over', () => {
  const { state } = after({ type: 'chatStarted', ...CHAT })
  const over = lost(state)
  assert.equal(over.state.chat, null)
  assert.equal(over.state.notice.title, 'The call with Bob is over.')
  assert.equal(lost(over.state).state, over.state)
})

test('an answer at once is told like any other', () => {
  const { state } = answeredAtOnce(after().state, BOB, 'busy')
  assert.equal(state.notice.title, 'Bob is in a call.')
})
