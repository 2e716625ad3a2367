/**
 * @file The part of the roster that this page shows: from its beginning up to a place, however many buddies there are.
 *
 * Pages come by HTTP, deltas by signals, in any order: a page says up to which delta it is true, later deltas are
 * applied to it, and whoever misses one has to ask for the page again.
 */

import { fold, folded, inOrder } from './sorting.js'

/** @import { Delta, Entry, Page } from './types.js' */

/** Deltas kept for a page that is on its way. They come 4 times a second at most. */
const KEPT = 64

export class Roster {
  /** Ourselves, who are no buddy of ours. @type {string | null} */
  self = null
  /** Up to which delta this is true; −1: nothing is known yet. */
  seq = -1
  /** How many match the search, shown or not. */
  total = 0
  #search = ''
  /** @type {Entry[]} */
  #held = []
  /** All who sort before it, or are it, are held; null: all are. @type {Entry | null} */
  #end = null
  /** @type {Delta[]} */
  #recent = []

  /** @returns {readonly Entry[]} in order */
  get buddies() {
    return this.#held
  }

  get search() {
    return this.#search
  }

  /** Whether there are more than are held. */
  get hasMore() {
    return this.#end !== null
  }

  /** @param {string} id */
  find(id) {
    return this.#held.find((entry) => entry.id === id) ?? null
  }

  /** Deltas are counted from 1 again. What is held is shown until the next page. */
  forget() {
    this.seq = -1
    this.#recent = []
  }

  /**
   * Starts anew from the first page of a search.
   *
   * @param {Page} page
   * @param {string} [search]
   * @returns {boolean} false: a delta was missed meanwhile, ask again
   */
  start(page, search = '') {
    this.#search = fold(search)
    this.#held = [...page.buddies].sort(inOrder)
    this.#end = page.total > page.buddies.length ? (this.#held.at(-1) ?? null) : null
    this.total = page.total
    this.seq = page.seq
    return this.#catchUp()
  }

  /**
   * Where the next page has to begin: a little before the end of what is held, since the list moves while the page is
   * on its way.
   */
  get nextOffset() {
    return Math.max(0, this.#held.length - 10)
  }

  /**
   * Adds a page that was asked for at {@link nextOffset}.
   *
   * @param {Page} page
   * @param {number} offset at which it begins
   * @returns {boolean} false: it does not continue what is held, ask for all again
   */
  extend(page, offset) {
    const [first, last] = [page.buddies[0], page.buddies.at(-1)]
    if (this.#end === null || !first || !last) return false
    if (inOrder(first, this.#end) > 0 || page.seq < this.seq - KEPT) return false
    const isLast = offset + page.buddies.length >= page.total
    if (isLast) this.#end = null
    else if (inOrder(last, this.#end) > 0) this.#end = last
    for (const entry of page.buddies) this.#put(entry)
    // What the page did not know yet happens to it now. What it knows already will come and change nothing.
    for (const delta of this.#recent) if (delta.seq > page.seq) this.#change(delta)
    return true
  }

  /**
   * @param {Delta} delta
   * @returns {boolean} false: something is not known now, ask for the first page again
   */
  apply(delta) {
    this.#recent.push(delta)
    if (this.#recent.length > KEPT) this.#recent.shift()
    if (this.seq === -1 || delta.seq <= this.seq) return true
    return this.#catchUp()
  }

  /** Applies the deltas that are known and new. @returns {boolean} */
  #catchUp() {
    for (const delta of this.#recent) {
      if (delta.seq <= this.seq) continue
      if (delta.seq !== this.seq + 1) return false
      this.seq = delta.seq
      if (!this.#count(delta)) return false
      this.#change(delta)
    }
    return true
  }

  /**
   * Counts who came and went. With a search and a part of the list only, nobody can tell who of those not held matched.
   *
   * @param {Delta} delta
   * @returns {boolean}
   */
  #count({ joined, changed, left }) {
    const isBlind = this.#search !== '' && this.#end !== null
    if (isBlind && (joined.length > 0 || changed.length > 0 || left.length > 0)) return false
    const matches = (/** @type {Entry} */ entry) => this.#matches(entry)
    if (this.#search === '') {
      const others = left.filter((id) => id !== this.self)
      this.total += joined.filter(matches).length - others.length
    } else {
      const gone = left.filter((id) => this.find(id)).length
      const renamed = changed.filter((entry) => !matches(entry) && this.find(entry.id)).length
      const fresh = [...joined, ...changed].filter((entry) => matches(entry))
      this.total += fresh.filter(({ id }) => !this.find(id)).length - gone - renamed
    }
    return true
  }

  /** @param {Delta} delta */
  #change({ joined, changed, left }) {
    const gone = new Set(left)
    if (left.length > 0) this.#held = this.#held.filter((entry) => !gone.has(entry.id))
    for (const entry of joined) this.#put(entry)
    for (const entry of changed) this.#put(entry)
  }

  /** @param {Entry} entry */
  #put(entry) {
    const at = this.#held.findIndex(({ id }) => id === entry.id)
    if (at !== -1) this.#held.splice(at, 1)
    if (!this.#matches(entry)) return
    if (this.#end !== null && inOrder(entry, this.#end) > 0) return
    let place = this.#held.findIndex((other) => inOrder(entry, other) < 0)
    if (place === -1) place = this.#held.length
    this.#held.splice(place, 0, entry)
  }

  /** @param {Entry} entry */
  #matches(entry) {
    return entry.id !== this.self && (this.#search === '' || folded(entry).includes(this.#search))
  }
}
