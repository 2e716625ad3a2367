/**
 * @file What concerns us: whom we call, who rings, the call we are in, what was missed. Pure: a state and a piece of
 * news go in, the next state comes out, with what is to be said.
 *
 * ```text
 *   Mine (when the page connects, or is back) ──▶ state ◀── News (signals)
 * ```
 */

import { answer, callEnd, nameOf, ringEnd } from './sentences.js'

/** @import { Availability, ChatView, MissedCall, Mine, News, Outcome, Person } from './types.js' */

/**
 * A call that waits for its answer.
 *
 * @typedef {object} Ringing
 * @property {string} invitation
 * @property {Person} person who is called, or who calls
 * @property {number} endsAt our own clock, ms
 */

/**
 * What came of the last call, until somebody has seen to it.
 *
 * @typedef {object} Notice
 * @property {string} title
 * @property {string} text
 * @property {Person | null} person whom to call again
 */

/** A call of ours; `begunAt` by our own clock, ms. @typedef {ChatView & { begunAt: number }} Chat */

/**
 * @typedef {object} Desk
 * @property {Person | null} me
 * @property {Availability} availability
 * @property {Ringing | null} outgoing
 * @property {Ringing[]} incoming the oldest first
 * @property {Chat | null} chat
 * @property {MissedCall[]} missed the latest first
 * @property {Notice | null} notice
 */

/**
 * To screen readers; urgent things interrupt them.
 *
 * @typedef {{ text: string, urgent: boolean }} Said
 */

/** @typedef {{ desk: Desk, said: Said | null }} Step */

/** @type {Desk} */
export const EMPTY = {
  me: null,
  availability: 'available',
  outgoing: null,
  incoming: [],
  chat: null,
  missed: [],
  notice: null,
}

/** Whether we may call somebody. @param {Desk} desk */
export function isFree({ outgoing, chat }) {
  return outgoing === null && chat === null
}

/**
 * Takes over how things are, when the page has connected or is back.
 *
 * @param {Desk} before
 * @param {Mine} mine
 * @param {number} now our own clock, ms
 * @returns {Step}
 */
export function resume(before, mine, now) {
  /** @type {Desk} */
  const desk = {
    me: mine.me,
    availability: mine.availability,
    outgoing: mine.outgoing && waiting(mine.outgoing.to, mine.outgoing, now),
    incoming: mine.incoming.map((incoming) => waiting(incoming.from, incoming, now)),
    chat: mine.chat && {
      ...mine.chat,
      begunAt: begun(before.chat, mine.chat, Math.min(now, mine.chat.startedAtMs)),
    },
    missed: [...mine.missed].reverse(),
    notice: before.notice,
  }
  if (before.chat && before.chat.sessionId !== mine.chat?.sessionId) {
    return tell(desk, gone(before.chat.with))
  }
  if (before.outgoing && !mine.chat && before.outgoing.invitation !== mine.outgoing?.invitation) {
    return tell(desk, {
      title: `The call to ${nameOf(before.outgoing.person)} is over.`,
      text: 'The connection to the server was lost meanwhile. You can call again.',
      person: before.outgoing.person,
    })
  }
  const rings = desk.incoming.find(({ invitation }) => !has(before, invitation))
  return { desk, said: rings ? ringSaid(rings.person) : null }
}

/**
 * Our call turned out to be over, and nobody told us why.
 *
 * @param {Desk} desk
 * @returns {Step}
 */
export function lost(desk) {
  if (!desk.chat) return { desk, said: null }
  return tell({ ...desk, chat: null }, gone(desk.chat.with))
}

/**
 * @param {Desk} desk
 * @param {News} news
 * @param {number} now our own clock, ms
 * @returns {Step}
 */
export function hear(desk, news, now) {
  switch (news.type) {
    case 'calling': {
      const outgoing = waiting(news.to, news, now)
      return step({ ...desk, outgoing, notice: null }, `Calling ${nameOf(news.to)}.`)
    }
    case 'ringing': {
      if (has(desk, news.invitation)) return { desk, said: null }
      const incoming = [...desk.incoming, waiting(news.from, news, now)]
      return { desk: { ...desk, incoming }, said: ringSaid(news.from) }
    }
    case 'answered':
    case 'cancelled':
      return over(desk, news)
    case 'missed': {
      const others = desk.missed.filter(({ from }) => from.id !== news.call.from.id)
      return { desk: { ...desk, missed: [news.call, ...others] }, said: null }
    }
    case 'missedSeen': {
      const missed = desk.missed.filter(({ from }) => news.from !== null && from.id !== news.from)
      return { desk: { ...desk, missed }, said: null }
    }
    case 'chatStarted': {
      const { type, ...view } = news
      const chat = { ...view, begunAt: begun(desk.chat, view, now) }
      const next = { ...desk, outgoing: null, incoming: [], notice: null, chat }
      return step(next, `In a call with ${nameOf(chat.with)}.`)
    }
    case 'chatEnded': {
      if (desk.chat && desk.chat.sessionId !== news.sessionId) return { desk, said: null }
      const notice = callEnd({
        with: news.with,
        reason: news.reason,
        isOwn: news.by === desk.me?.id,
        lastedMs: desk.chat ? now - desk.chat.begunAt : 0,
      })
      return tell({ ...desk, chat: null }, { ...notice, person: news.with })
    }
    case 'availability':
      return { desk: { ...desk, availability: news.availability }, said: null }
    default:
      return { desk, said: null } // recording a call is the call's own matter
  }
}

/**
 * Our call was answered on behalf of the other one, at once.
 *
 * @param {Desk} desk
 * @param {Person} to
 * @param {Outcome} outcome
 * @returns {Step}
 */
export function answeredAtOnce(desk, to, outcome) {
  const words = answer(to, outcome)
  return words ? tell(desk, { ...words, person: to }) : { desk, said: null }
}

/**
 * @param {Desk} desk
 * @param {{ invitation: string, outcome: Outcome }} news
 * @returns {Step}
 */
function over(desk, { invitation, outcome }) {
  if (desk.outgoing?.invitation === invitation) {
    const { person } = desk.outgoing
    const next = { ...desk, outgoing: null }
    const words = answer(person, outcome)
    return words ? tell(next, { ...words, person }) : { desk: next, said: null }
  }
  const ringing = desk.incoming.find((incoming) => incoming.invitation === invitation)
  if (!ringing) return { desk, said: null }
  const incoming = desk.incoming.filter((other) => other !== ringing)
  return step({ ...desk, incoming }, ringEnd(ringing.person, outcome))
}

/**
 * @param {Chat | null} ours as known so far
 * @param {ChatView} chat
 * @param {number} otherwise
 */
function begun(ours, chat, otherwise) {
  return ours?.sessionId === chat.sessionId ? ours.begunAt : otherwise
}

/** @param {Desk} desk @param {string} invitation */
function has(desk, invitation) {
  return desk.incoming.some((incoming) => incoming.invitation === invitation)
}

/**
 * @param {Person} person
 * @param {{ invitation: string, ringsForMs: number }} call
 * @param {number} now
 * @returns {Ringing}
 */
function waiting(person, { invitation, ringsForMs }, now) {
  return { invitation, person, endsAt: now + ringsForMs }
}

/** @param {Person} person @returns {Notice} */
function gone(person) {
  return {
    title: `The call with ${nameOf(person)} is over.`,
    text: 'The connection to the server was lost meanwhile. You can call again.',
    person,
  }
}

/** @param {Person} from @returns {Said} */
function ringSaid(from) {
  return { text: `${nameOf(from)} is calling you.`, urgent: true }
}

/** @param {Desk} desk @param {string | null} text @returns {Step} */
function step(desk, text) {
  return { desk, said: text === null ? null : { text, urgent: false } }
}

/** @param {Desk} desk @param {Notice} notice @returns {Step} */
function tell(desk, notice) {
  return {
    desk: { ...desk, notice },
    said: { text: `${notice.title} ${notice.text}`, urgent: false },
  }
}
