/** @file The list of buddies: rows that come, change, move and go, the search, and what stands there when it is empty. */

import { byId, copyOf, find, initials } from '../ui/dom.js'
import { nameOf, STATES } from './sentences.js'

/** @import { State } from './state.js' */
/** @import { Roster } from './roster.js' */
/** @import { Entry, Person } from './types.js' */

/** From so many people on a search is worth its place. */
const SEARCH_FROM = 20

/** Who types waits for nobody, and is not asked about every letter. */
const TYPED_MS = 200

/** @type {Record<Entry['state'], string>} */
const DOTS = { available: 'free', inviting: 'busy', chatting: 'busy', doNotDisturb: '' }

export class BuddyList {
  #list = byId('roster', HTMLUListElement)
  /** @type {Map<string, HTMLElement>} by user */
  #rows = new Map()
  #search = byId('search', HTMLInputElement)
  #typed = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined)

  /** @param {{ call(person: Person): void, search(text: string): void, more(): void }} actions */
  constructor({ call, search, more }) {
    this.#list.replaceChildren() // the server's rows have no buttons
    this.#list.addEventListener('click', ({ target }) => {
      const row = target instanceof Element && target.closest('button') && target.closest('li')
      const entry = row && this.#entries.get(row)
      if (entry) call(entry)
    })
    this.#search.addEventListener('input', () => {
      clearTimeout(this.#typed)
      this.#typed = setTimeout(() => search(this.#search.value), TYPED_MS)
    })
    byId('more', HTMLButtonElement).addEventListener('click', more)
  }

  /** @type {WeakMap<Element, Entry>} */
  #entries = new WeakMap()

  /**
   * @param {Roster} roster
   * @param {State} state
   * @param {boolean} mayCall whether we could call anybody now
   */
  draw(roster, state, mayCall) {
    const isSearching = roster.search !== ''
    const isKnown = roster.seq !== -1
    const people = roster.total.toLocaleString('en')
    if (roster.total > SEARCH_FROM || isSearching || document.activeElement === this.#search) {
      this.#search.hidden = false
    } else if (this.#search.value === '') {
      this.#search.hidden = true
    }
    if (!isSearching) this.#search.placeholder = `Search ${people} people`
    byId('found', HTMLElement).textContent =
      isSearching && isKnown ? (roster.total === 1 ? '1 person found' : `${people} found`) : ''
    byId('nobody', HTMLElement).hidden = !isKnown || roster.total > 0 || isSearching
    const more = byId('more', HTMLButtonElement)
    const rest = roster.total - roster.buddies.length
    more.hidden = !roster.hasMore || rest < 1
    more.textContent = `Show more (${rest.toLocaleString('en')})`
    this.#drawRows(roster.buddies, state, mayCall)
  }

  /**
   * @param {readonly Entry[]} buddies
   * @param {State} state
   * @param {boolean} mayCall
   */
  #drawRows(buddies, state, mayCall) {
    const present = new Set(buddies.map(({ id }) => id))
    for (const [id, row] of this.#rows) {
      if (present.has(id)) continue
      row.remove()
      this.#rows.delete(id)
    }
    /** @type {Element | null} */
    let place = this.#list.firstElementChild
    for (const entry of buddies) {
      let row = this.#rows.get(entry.id)
      if (!row) {
        row = copyOf('buddy-template')
        this.#rows.set(entry.id, row)
      }
      this.#drawRow(row, entry, state, mayCall)
      if (row === place) place = place.nextElementSibling
      // A row that is moved loses the focus; its neighbours are moved around it instead.
      else if (!row.contains(document.activeElement)) this.#list.insertBefore(row, place)
      else {
        while (place && place !== row) {
          const next = /** @type {Element | null} */ (place.nextElementSibling)
          this.#list.append(place)
          place = next
        }
        place = row.nextElementSibling
      }
    }
  }

  /**
   * @param {HTMLElement} row
   * @param {Entry} entry
   * @param {State} state
   * @param {boolean} mayCall
   */
  #drawRow(row, entry, state, mayCall) {
    this.#entries.set(row, entry)
    const words = stateOf(entry, state)
    const isCallable = mayCall && entry.state === 'available'
    const drawn = [entry.name, entry.number, entry.state, words, isCallable].join('\n')
    if (row.dataset.drawn === drawn) return
    row.dataset.drawn = drawn
    row.dataset.state = entry.state
    const name = nameOf(entry)
    find(row, '.buddy__initials', HTMLElement).textContent = initials(entry.name)
    find(row, '.dot', HTMLElement).className = `dot ${DOTS[entry.state]}`
    find(row, 'bdi', HTMLElement).textContent = name
    find(row, 'small', HTMLElement).textContent = words
    const button = find(row, 'button', HTMLButtonElement)
    button.hidden = !isCallable
    button.title = `Call ${name}`
    button.setAttribute('aria-label', button.title)
  }
}

/** @param {Entry} entry @param {State} state */
function stateOf({ id, state }, { outgoing, incoming, chat }) {
  if (outgoing?.person.id === id) return 'You are calling'
  if (incoming.some(({ person }) => person.id === id)) return 'Calling you'
  if (chat?.with.id === id) return 'In a call with you'
  return STATES[state]
}
