/** @file How buddies are sorted and found, exactly as the server does it: `src/presence/mod.rs` and `src/common/name.rs`. */

/** @import { BuddyState, Entry } from './types.js' */

/** @type {Record<BuddyState, number>} */
const RANKS = { available: 0, inviting: 1, chatting: 1, doNotDisturb: 2 }

/** Blanks, joiners, marks of direction and fillers: alone they show nothing. Whitespace is kept as such. */
const UNSEEN =
  /\u00ad|\u034f|\u061c|[\u115f-\u1160]|[\u17b4-\u17b5]|[\u180b-\u180f]|[\u200b-\u200f]|[\u202a-\u202e]|[\u2060-\u206f]|\u2800|\u3164|[\ufe00-\ufe0f]|\ufeff|\uffa0|[\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/gu

/** Unicode's White_Space, which is not quite what `\s` is. */
const BLANKS = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u

/**
 * What names and searches are compared by.
 *
 * @param {string} text
 */
export function fold(text) {
  const words = text.replace(UNSEEN, '').split(BLANKS)
  return words
    .filter((word) => word !== '')
    .join(' ')
    .toLowerCase()
    .normalize('NFC')
}

/**
 * Available first, then those in a call or about to be, then those who do not want to be disturbed; by name.
 *
 * @param {Entry} a
 * @param {Entry} b
 */
export function inOrder(a, b) {
  return (
    RANKS[a.state] - RANKS[b.state] ||
    byCodePoint(folded(a), folded(b)) ||
    (a.number ?? 1) - (b.number ?? 1) ||
    byCodePoint(a.id, b.id)
  )
}

/** Entries are compared again and again. @type {WeakMap<Entry, string>} */
const FOLDED = new WeakMap()

/**
 * The name of an entry, folded.
 *
 * @param {Entry} entry
 */
export function folded(entry) {
  let text = FOLDED.get(entry)
  if (text === undefined) {
    text = fold(entry.name)
    FOLDED.set(entry, text)
  }
  return text
}

/**
 * JavaScript compares UTF-16, the server UTF-8: they differ where surrogates begin.
 *
 * @param {string} a
 * @param {string} b
 */
function byCodePoint(a, b) {
  for (let at = 0; at < a.length && at < b.length; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (left === right) continue
    const isSurrogate = (/** @type {number} */ unit) => unit >= 0xd800 && unit < 0xe000
    if (isSurrogate(left) !== isSurrogate(right)) return isSurrogate(left) ? 1 : -1
    return left - right
  }
  return a.length - b.length
}
