/** @file What concerns us, as cards: who rings, whom we call, what came of it, what was missed. */

import { byId, copyOf, find, initials } from '../ui/dom.js'
import { clockTime, dayAndTime } from '../ui/time.js'
import { missedBecause, nameOf } from './sentences.js'

/** @import { State, Ringing } from './state.js' */
/** @import { MissedCall, Person } from './types.js' */

/** How long the server lets it ring. */
const RINGS_MS = 45_000

/**
 * @typedef {object} Actions
 * @property {(invitation: string, audioOnly: boolean) => void} accept
 * @property {(invitation: string) => void} decline
 * @property {(invitation: string) => void} cancel
 * @property {(person: Person) => void} call
 * @property {(from: string | null) => void} forget missed calls of one person, or of all
 * @property {() => void} dismiss the notice
 * @property {() => void} endElsewhere
 */

export class Cards {
  #actions
  /** @type {Map<string, HTMLElement>} by invitation */
  #ringing = new Map()
  /** @type {Person | null} whom the notice is about */
  #again = null
  #missed = ''

  /** @param {Actions} actions */
  constructor(actions) {
    this.#actions = actions
    click('notice-again', () => this.#again && actions.call(this.#again))
    click('notice-close', actions.dismiss)
    click('missed-all', () => actions.forget(null))
    click('elsewhere-end', actions.endElsewhere)
  }

  /**
   * @param {State} state
   * @param {{ mayCall: boolean, isElsewhere: boolean, isRecorded: boolean }} how `isElsewhere`: our call is in another
   *   tab; `isRecorded`: the last call was
   */
  draw(state, { mayCall, isElsewhere, isRecorded }) {
    this.#drawRinging(state.incoming)
    this.#drawOutgoing(state.outgoing)
    const elsewhere = byId('elsewhere', HTMLElement)
    elsewhere.hidden = !isElsewhere
    if (state.chat) put(elsewhere, state.chat.with)
    const notice = byId('notice', HTMLElement)
    notice.hidden = state.notice === null || state.chat !== null
    if (state.notice) {
      byId('notice-title', HTMLElement).textContent = state.notice.title
      byId('notice-text', HTMLElement).textContent = state.notice.text
      this.#again = state.notice.person
      byId('notice-again', HTMLButtonElement).hidden = this.#again === null || !mayCall
      byId('notice-recording', HTMLElement).hidden = !isRecorded
    }
    this.#drawMissed(state.missed, mayCall)
    this.tick(state)
  }

  /** Times that run on. @param {State} state */
  tick({ incoming, outgoing }) {
    for (const ringing of incoming) {
      const card = this.#ringing.get(ringing.invitation)
      if (card) find(card, '.event__time', HTMLElement).textContent = `ringing · ${rung(ringing)}`
    }
    if (!outgoing) return
    byId('outgoing-time', HTMLElement).textContent =
      `ringing · ${rung(outgoing)} · no answer after 45 s ends the call`
  }

  /** @param {Ringing[]} incoming */
  #drawRinging(incoming) {
    const present = new Set(incoming.map(({ invitation }) => invitation))
    for (const [invitation, card] of this.#ringing) {
      if (present.has(invitation)) continue
      // Whoever was about to answer is not left on nothing.
      const hadFocus = card.contains(document.activeElement)
      card.remove()
      this.#ringing.delete(invitation)
      if (hadFocus) byId('roster-title', HTMLElement).focus({ preventScroll: true })
    }
    for (const { invitation, person } of incoming) {
      if (this.#ringing.has(invitation)) continue
      const card = copyOf('ringing-template')
      this.#ringing.set(invitation, card)
      const name = nameOf(person)
      put(card, person)
      card.dataset.invitation = invitation
      card.setAttribute('aria-label', `${name} is calling`)
      this.#answers(card, 'accept', `Accept the call of ${name}`, () =>
        this.#actions.accept(invitation, false),
      )
      this.#answers(card, 'audio', `Accept the call of ${name} with audio only`, () =>
        this.#actions.accept(invitation, true),
      )
      this.#answers(card, 'decline', `Decline the call of ${name}`, () =>
        this.#actions.decline(invitation),
      )
      card.addEventListener('keydown', (event) => {
        if (event.key !== 'Escape') return
        event.stopPropagation()
        this.#actions.decline(invitation)
      })
      byId('ringing', HTMLElement).append(card)
    }
  }

  /** @param {HTMLElement} card @param {string} what @param {string} label @param {() => void} run */
  #answers(card, what, label, run) {
    const button = find(card, `[data-do=${what}]`, HTMLButtonElement)
    button.setAttribute('aria-label', label)
    button.addEventListener('click', () => {
      for (const other of card.querySelectorAll('button')) other.disabled = true
      run()
    })
  }

  /** The answer did not arrive: it can be given again. @param {string} invitation */
  retry(invitation) {
    byId('cancel', HTMLButtonElement).disabled = false
    for (const button of this.#ringing.get(invitation)?.querySelectorAll('button') ?? []) {
      button.disabled = false
    }
  }

  /** @param {Ringing | null} outgoing */
  #drawOutgoing(outgoing) {
    const card = byId('outgoing', HTMLElement)
    card.hidden = outgoing === null
    if (!outgoing) return
    put(card, outgoing.person)
    const button = byId('cancel', HTMLButtonElement)
    button.setAttribute('aria-label', `Cancel the call to ${nameOf(outgoing.person)}`)
    if (card.dataset.invitation === outgoing.invitation) return
    card.dataset.invitation = outgoing.invitation
    button.disabled = false
    button.onclick = () => {
      button.disabled = true
      this.#actions.cancel(outgoing.invitation)
    }
  }

  /** @param {MissedCall[]} missed @param {boolean} mayCall */
  #drawMissed(missed, mayCall) {
    const drawn = JSON.stringify([missed, mayCall])
    if (drawn === this.#missed) return
    this.#missed = drawn
    const panel = byId('missed', HTMLElement)
    const hadFocus = panel.contains(document.activeElement)
    panel.hidden = missed.length === 0
    byId('missed-all', HTMLButtonElement).hidden = missed.length < 2
    byId('missed-list', HTMLUListElement).replaceChildren(
      ...missed.map((call) => {
        const row = copyOf('missed-template')
        const name = nameOf(call.from)
        put(row, call.from)
        const when = dayAndTime(new Date(call.atMs), new Date())
        const often = call.count > 1 ? ` · ${call.count} calls` : ''
        find(row, 'small', HTMLElement).textContent =
          `${when}${often} · ${missedBecause(call.outcome)}`
        const back = find(row, '[data-do=call]', HTMLButtonElement)
        back.disabled = !mayCall
        back.setAttribute('aria-label', `Call ${name} back`)
        back.addEventListener('click', () => this.#actions.call(call.from))
        const forget = find(row, '[data-do=forget]', HTMLButtonElement)
        forget.setAttribute('aria-label', `Dismiss the missed call from ${name}`)
        forget.addEventListener('click', () => this.#actions.forget(call.from.id))
        return row
      }),
    )
    if (hadFocus) {
      const next = panel.querySelector('button:not(:disabled)')
      const title = byId('roster-title', HTMLElement)
      ;(next instanceof HTMLElement && next.checkVisibility() ? next : title).focus()
    }
  }
}

/** How long it has rung. @param {Ringing} ringing */
function rung({ endsAt }) {
  return clockTime(Math.min(RINGS_MS, Math.max(0, RINGS_MS - (endsAt - Date.now()))))
}

/** Name and initials. @param {HTMLElement} card @param {Person} person */
function put(card, person) {
  find(card, '.initial', HTMLElement).textContent = initials(person.name)
  find(card, 'bdi', HTMLElement).textContent = nameOf(person)
}

/** @param {string} id @param {() => void} run */
function click(id, run) {
  byId(id, HTMLButtonElement).addEventListener('click', run)
}
