import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answeredAtOnce, EMPTY, hear, isFree, lost, resume } from './state.js'

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

/** What is on the desk after all this, and what was said last. */
function after(...news) {
  let last = resume(EMPTY, MINE, NOW)
  for (const each of news) last = hear(last.desk, each, NOW)
  return last
}

const calling = { type: 'calling', invitation: 'i', to: BOB, ringsForMs: 45_000 }
const ringing = (invitation, from) => ({ type: 'ringing', invitation, from, ringsForMs: 30_000 })

test('who calls is not free, and hears what came of it', () => {
  const waiting = after(calling)
  assert.equal(waiting.said.text, 'Calling Bob.')
  assert.deepEqual(waiting.desk.outgoing, { invitation: 'i', person: BOB, endsAt: NOW + 45_000 })
  assert.ok(!isFree(waiting.desk))
  for (const [outcome, title] of Object.entries({
    declined: 'Bob declined.',
    tookAnother: 'Bob took another call.',
    noAnswer: 'Bob did not answer.',
    gone: 'Bob is not here.',
    doNotDisturb: 'Bob does not want to be disturbed.',
    cancelled: 'You took back the call to Bob.',
  })) {
    const { desk, said } = after(calling, { type: 'answered', invitation: 'i', outcome })
    assert.equal(desk.outgoing, null)
    assert.equal(desk.notice.title, title)
    assert.equal(desk.notice.person, BOB)
    assert.ok(said.text.startsWith(title))
    assert.ok(isFree(desk))
  }
})

test('several ring at once, the oldest first, each until it is over', () => {
  const { desk, said } = after(ringing('1', BOB), ringing('2', BOB2), ringing('1', BOB))
  assert.deepEqual(
    desk.incoming.map(({ invitation }) => invitation),
    ['1', '2'],
  )
  assert.equal(said, null)
  assert.deepEqual(after(ringing('2', BOB2)).said, {
    text: 'Bob (2) is calling you.',
    urgent: true,
  })
  const one = hear(desk, { type: 'cancelled', invitation: '2', outcome: 'cancelled' }, NOW)
  assert.equal(one.said.text, 'Bob (2) took the call back.')
  assert.equal(one.desk.incoming.length, 1)
  assert.ok(isFree(one.desk))
})

test('an invitation that is over already is nobody’s', () => {
  const { desk, said } = after({ type: 'answered', invitation: 'x', outcome: 'declined' })
  assert.equal(desk.notice, null)
  assert.equal(said, null)
})

test('a call ends everything that rings, and its own end tells both why', () => {
  const { desk } = after(calling, ringing('2', BOB2), { type: 'chatStarted', ...CHAT })
  assert.equal(desk.outgoing, null)
  assert.deepEqual(desk.incoming, [])
  assert.equal(desk.chat.sessionId, 's')
  const end = { type: 'chatEnded', sessionId: 's', with: BOB }
  const title = (more) => hear(desk, { ...end, ...more }, NOW + 65_000).desk.notice.title
  assert.equal(title({ reason: 'ended', by: 'b' }), 'Bob ended the call.')
  assert.equal(title({ reason: 'ended', by: 'a' }), 'You ended the call with Bob.')
  assert.equal(title({ reason: 'gone', by: 'b' }), 'The call ended: Bob is gone.')
  assert.equal(title({ reason: 'notConnected', by: 'b' }), 'The call with Bob did not begin.')
  const over = hear(desk, { ...end, reason: 'ended', by: 'b' }, NOW + 65_000)
  assert.match(over.desk.notice.text, /It lasted 1:05\./)
  assert.equal(over.desk.chat, null)
})

test('the end of another call is not the end of this one', () => {
  const { desk } = after({ type: 'chatStarted', ...CHAT })
  const other = { type: 'chatEnded', sessionId: 'old', with: BOB, reason: 'ended', by: 'b' }
  assert.equal(hear(desk, other, NOW).desk, desk)
})

test('missed calls stay listed, once for each caller, the latest first, until they are seen to', () => {
  const call = (from, count) => ({ from, atMs: NOW, count, outcome: 'noAnswer' })
  const missed = (from, count) => ({ type: 'missed', call: call(from, count) })
  const { desk } = after(missed(BOB, 1), missed(BOB2, 1), missed(BOB, 2))
  assert.deepEqual(desk.missed, [call(BOB, 2), call(BOB2, 1)])
  const seen = (from) => hear(desk, { type: 'missedSeen', from }, NOW).desk.missed
  assert.deepEqual(seen('b'), [call(BOB2, 1)])
  assert.deepEqual(seen(null), [])
})

test('whoever is back takes over how things are, and is told what ended meanwhile', () => {
  const { desk } = after({ type: 'chatStarted', ...CHAT })
  const still = resume(desk, { ...MINE, chat: { ...CHAT, tab: null } }, NOW + 5000)
  assert.equal(still.desk.chat.tab, null)
  assert.equal(still.desk.chat.begunAt, NOW)
  assert.equal(still.desk.notice, null)
  const over = resume(desk, MINE, NOW + 5000)
  assert.equal(over.desk.notice.title, 'The call with Bob is over.')
  const unanswered = resume(after(calling).desk, MINE, NOW)
  assert.equal(unanswered.desk.notice.title, 'The call to Bob is over.')
  const rings = resume(desk, { ...MINE, chat: CHAT, incoming: [ringing('9', BOB2)] }, NOW)
  assert.ok(rings.said.urgent)
})

test('a call that the server knows no more is over', () => {
  const { desk } = after({ type: 'chatStarted', ...CHAT })
  const over = lost(desk)
  assert.equal(over.desk.chat, null)
  assert.equal(over.desk.notice.title, 'The call with Bob is over.')
  assert.equal(lost(over.desk).desk, over.desk)
})

test('an answer at once is told like any other', () => {
  const { desk } = answeredAtOnce(after().desk, BOB, 'busy')
  assert.equal(desk.notice.title, 'Bob is in a call.')
})
