/**
 * @file The roster of the page: the model, what keeps it true, and its list.
 */

import { get } from '../ui/http.js'
import { BuddyList } from './buddy-list.js'
import { Roster } from './roster.js'

/** @import { State } from './state.js' */
/** @import { Delta, Page, Person } from './types.js' */

/** Buddies on a page, and at most in one answer. */
const PAGE = 50
const MOST = 200

/** Between two questions for the whole list, at least: thousands of pages may have missed the same delta. */
const PAUSE_MS = 1000

export class RosterSync {
  #roster = new Roster()
  #list
  #draw
  #search = ''
  #asking = false
  #again = false
  #askedAt = -PAUSE_MS

  /**
   * @param {(person: Person) => void} call
   * @param {() => void} draw something changed
   */
  constructor(call, draw) {
    this.#draw = draw
    this.#list = new BuddyList({
      call,
      search: (text) => {
        this.#search = text
        this.refresh(true)
      },
      more: () => this.#more(),
    })
  }

  /** @param {Page} page */
  start(page) {
    this.#roster.start(page)
  }

  /** What comes now is counted anew. */
  forget() {
    this.#roster.forget()
  }

  get total() {
    return this.#roster.total
  }

  /** @param {string} id */
  set self(id) {
    this.#roster.self = id
  }

  /** @param {string} id @returns {Person | null} */
  find(id) {
    return this.#roster.find(id)
  }

  /** @param {Delta} delta */
  apply(delta) {
    if (!this.#roster.apply(delta)) this.refresh()
    if (this.#roster.buddies.length < PAGE / 2 && this.#roster.hasMore) this.refresh()
    this.#draw()
  }

  /** @param {State} state @param {boolean} mayCall */
  draw(state, mayCall) {
    this.#list.draw(this.#roster, state, mayCall)
  }

  /**
   * Asks for the list from its beginning.
   *
   * @param {boolean} [atOnce] somebody waits for it
   */
  async refresh(atOnce = false) {
    if (this.#asking) {
      this.#again = true
      return
    }
    this.#asking = true
    const pause = this.#askedAt + PAUSE_MS * (0.5 + Math.random()) - performance.now()
    if (!atOnce && pause > 0) await new Promise((resolve) => setTimeout(resolve, pause))
    this.#again = false
    this.#askedAt = performance.now()
    const search = this.#search
    const limit = Math.min(MOST, Math.max(PAGE, this.#roster.buddies.length))
    try {
      const isTrue = this.#roster.start(await ask(search, 0, limit), search)
      this.#again ||= !isTrue || search !== this.#search
    } catch {
      // The next delta tries again, or the page when it is back.
    }
    this.#asking = false
    this.#draw()
    if (this.#again) this.refresh(search !== this.#search)
  }

  async #more() {
    const offset = this.#roster.nextOffset
    try {
      const page = await ask(this.#search, offset, PAGE + this.#roster.buddies.length - offset)
      if (!this.#roster.extend(page, offset)) this.refresh(true)
    } catch {
      // The button is still there.
    }
    this.#draw()
  }
}

/** @param {string} search @param {number} offset @param {number} limit @returns {Promise<Page>} */
function ask(search, offset, limit) {
  const query = new URLSearchParams({ search, offset: String(offset), limit: String(limit) })
  return get(`/buddies/roster?${query}`)
}
