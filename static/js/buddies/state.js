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
 * @typedef {object} State
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

/** @typedef {{ state: State, said: Said | null }} Step */

/** @type {State} */
export const EMPTY = {
  me: null,
  availability: 'available',
  outgoing: null,
  incoming: [],
  chat: null,
  missed: [],
  notice: null,
}

/** Whether we may call somebody. @param {State} state */
export function isFree({ outgoing, chat }) {
  return outgoing === null && chat === null
}

/**
 * Takes over how things are, when the page has connected or is back.
 *
 * @param {State} before
 * @param {Mine} mine
 * @param {number} now our own clock, ms
 * @returns {Step}
 */
export function resume(before, mine, now) {
  /** @type {State} */
  const state = {
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
    return withNotice(state, gone(before.chat.with))
  }
  if (before.outgoing && !mine.chat && before.outgoing.invitation !== mine.outgoing?.invitation) {
    return withNotice(state, {
      title: `The call to ${nameOf(before.outgoing.person)} is over.`,
      text: 'The connection to the server was lost. You can call again.',
      person: before.outgoing.person,
    })
  }
  const rings = state.incoming.find(({ invitation }) => !has(before, invitation))
  return { state, said: rings ? ringSaid(rings.person) : null }
}

/**
 * Our call turned out to be over, and nobody told us why.
 *
 * @param {State} state
 * @returns {Step}
 */
export function lost(state) {
  if (!state.chat) return { state, said: null }
  return withNotice({ ...state, chat: null }, gone(state.chat.with))
}

/**
 * @param {State} state
 * @param {News} news
 * @param {number} now our own clock, ms
 * @returns {Step}
 */
export function reduce(state, news, now) {
  switch (news.type) {
    case 'calling': {
      const outgoing = waiting(news.to, news, now)
      return step({ ...state, outgoing, notice: null }, `Calling ${nameOf(news.to)}.`)
    }
    case 'ringing': {
      if (has(state, news.invitation)) return { state, said: null }
      const incoming = [...state.incoming, waiting(news.from, news, now)]
      return { state: { ...state, incoming }, said: ringSaid(news.from) }
    }
    case 'answered':
    case 'cancelled':
      return over(state, news)
    case 'missed': {
      const others = state.missed.filter(({ from }) => from.id !== news.call.from.id)
      return { state: { ...state, missed: [news.call, ...others] }, said: null }
    }
    case 'missedSeen': {
      const missed = state.missed.filter(({ from }) => news.from !== null && from.id !== news.from)
      return { state: { ...state, missed }, said: null }
    }
    case 'chatStarted': {
      const { type, ...view } = news
      const chat = { ...view, begunAt: begun(state.chat, view, now) }
      const next = { ...state, outgoing: null, incoming: [], notice: null, chat }
      return step(next, `In a call with ${nameOf(chat.with)}.`)
    }
    case 'chatEnded': {
      if (state.chat && state.chat.sessionId !== news.sessionId) return { state, said: null }
      const notice = callEnd({
        with: news.with,
        reason: news.reason,
        isOwn: news.by === state.me?.id,
        lastedMs: state.chat ? now - state.chat.begunAt : 0,
      })
      return withNotice({ ...state, chat: null }, { ...notice, person: news.with })
    }
    case 'availability':
      return { state: { ...state, availability: news.availability }, said: null }
    default:
      return { state, said: null } // recording a call is the call's own matter
  }
}

/**
 * Our call was answered on behalf of the other one, at once.
 *
 * @param {State} state
 * @param {Person} to
 * @param {Outcome} outcome
 * @returns {Step}
 */
export function answeredAtOnce(state, to, outcome) {
  const words = answer(to, outcome)
  return words ? withNotice(state, { ...words, person: to }) : { state, said: null }
}

/**
 * @param {State} state
 * @param {{ invitation: string, outcome: Outcome }} news
 * @returns {Step}
 */
function over(state, { invitation, outcome }) {
  if (state.outgoing?.invitation === invitation) {
    const { person } = state.outgoing
    const next = { ...state, outgoing: null }
    const words = answer(person, outcome)
    return words ? withNotice(next, { ...words, person }) : { state: next, said: null }
  }
  const ringing = state.incoming.find((incoming) => incoming.invitation === invitation)
  if (!ringing) return { state, said: null }
  const incoming = state.incoming.filter((other) => other !== ringing)
  return step({ ...state, incoming }, ringEnd(ringing.person, outcome))
}

/**
 * @param {Chat | null} ours as known so far
 * @param {ChatView} chat
 * @param {number} otherwise
 */
function begun(ours, chat, otherwise) {
  return ours?.sessionId === chat.sessionId ? ours.begunAt : otherwise
}

/** @param {State} state @param {string} invitation */
function has(state, invitation) {
  return state.incoming.some((incoming) => incoming.invitation === invitation)
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
    text: 'The connection to the server was lost. You can call again.',
    person,
  }
}

/** @param {Person} from @returns {Said} */
function ringSaid(from) {
  return { text: `${nameOf(from)} is calling.`, urgent: true }
}

/** @param {State} state @param {string | null} text @returns {Step} */
function step(state, text) {
  return { state, said: text === null ? null : { text, urgent: false } }
}

/** @param {State} state @param {Notice} notice @returns {Step} */
function withNotice(state, notice) {
  return {
    state: { ...state, notice },
    said: { text: `${notice.title} ${notice.text}`, urgent: false },
  }
}
