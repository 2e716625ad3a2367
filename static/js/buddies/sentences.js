/** @file What happens between buddies, in sentences. */

import { clockTime } from '../ui/time.js'

/** @import { BuddyState, EndReason, Outcome, Person } from './types.js' */

/** "Ann", or "Ann (2)" for the second of this name. @param {Person} person */
export function nameOf({ name, number = 1 }) {
  return number > 1 ? `${name} (${number})` : name
}

/** @type {Record<BuddyState, string>} */
export const STATES = {
  available: 'Available',
  inviting: 'Waiting for an answer',
  chatting: 'In a call',
  doNotDisturb: 'Do not disturb',
}

/**
 * What came of our call.
 *
 * @param {Person} to
 * @param {Outcome} outcome
 * @returns {{ title: string, text: string } | null} null: there is nothing to say
 */
export function answer(to, outcome) {
  const name = nameOf(to)
  const listed = `${name} will see a missed call.`
  switch (outcome) {
    case 'declined':
      return { title: `${name} declined.`, text: '' }
    case 'tookAnother':
      return { title: `${name} took another call.`, text: listed }
    case 'noAnswer':
      return { title: `${name} did not answer.`, text: listed }
    case 'busy':
      return { title: `${name} is in a call.`, text: listed }
    case 'inviting':
      return {
        title: `${name} is calling someone else.`,
        text: `${listed} Try again in a moment.`,
      }
    case 'doNotDisturb':
      return { title: `${name} has do-not-disturb on.`, text: listed }
    case 'gone':
      return { title: `${name} is offline.`, text: listed }
    case 'cancelled':
      return { title: 'Call cancelled.', text: listed }
    case 'inviterGone':
      return {
        title: 'The call was cancelled.',
        text: 'This page was disconnected for too long.',
      }
    default:
      return null
  }
}

/**
 * Why somebody rings no longer.
 *
 * @param {Person} from
 * @param {Outcome} outcome
 * @returns {string | null} null: we know, it was our doing
 */
export function ringEnd(from, outcome) {
  const name = nameOf(from)
  switch (outcome) {
    case 'noAnswer':
      return `${name} stopped ringing: no answer.`
    case 'cancelled':
      return `${name} cancelled the call.`
    case 'inviterTookAnother':
      return `${name} took another call.`
    case 'inviterGone':
      return `${name} went offline.`
    case 'accepted':
    case 'declined':
    case 'tookAnother':
      return null
    default:
      return `${name} stopped ringing.`
  }
}

/**
 * We cancelled, accepted or declined when it was over already.
 *
 * @param {Person} person the other one
 * @param {Outcome} outcome
 */
export function tooLate(person, outcome) {
  const name = nameOf(person)
  if (outcome === 'accepted') return `${name} accepted at the same moment.`
  return ringEnd(person, outcome) ?? `The call with ${name} was answered already.`
}

/**
 * Why a call was missed.
 *
 * @param {Outcome} outcome
 */
export function missedBecause(outcome) {
  switch (outcome) {
    case 'busy':
      return 'you were in a call'
    case 'tookAnother':
      return 'you took another call'
    case 'inviting':
      return 'you were calling someone'
    case 'doNotDisturb':
      return 'you had do-not-disturb on'
    case 'gone':
      return 'you were away or invisible'
    case 'cancelled':
      return 'cancelled'
    case 'inviterTookAnother':
      return 'took another call'
    case 'inviterGone':
      return 'went offline'
    default:
      return 'you did not answer'
  }
}

/**
 * How a call ended.
 *
 * @param {{ with: Person, reason: EndReason, isOwn: boolean, lastedMs: number }} end `isOwn`: we ended it, or were gone
 * @returns {{ title: string, text: string }}
 */
export function callEnd({ with: person, reason, isOwn, lastedMs }) {
  const name = nameOf(person)
  const lasted = `It lasted ${clockTime(lastedMs)}.`
  switch (reason) {
    case 'ended':
      return isOwn
        ? { title: `You ended the call with ${name}.`, text: lasted }
        : { title: `${name} ended the call.`, text: lasted }
    case 'gone':
      return isOwn
        ? { title: `The call with ${name} ended.`, text: 'Your connection was lost for too long.' }
        : {
            title: `The call ended: ${name} went offline.`,
            text: `Their page was closed or lost its connection. ${lasted}`,
          }
    default:
      return isOwn
        ? {
            title: `Couldn't connect to ${name}.`,
            text: 'Check your network, then call again.',
          }
        : {
            title: `Couldn't connect to ${name}.`,
            text: `${name} didn't connect in time.`,
          }
  }
}

/** @param {number} count */
export function online(count) {
  return count === 1 ? '1 person is online' : `${count.toLocaleString('en')} people are online`
}
