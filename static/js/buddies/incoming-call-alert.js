/** @file Being heard and seen when somebody calls: ring, title, notification, and the keys that answer. */

import { byId, find } from '../ui/dom.js'
import { preferences } from '../ui/preferences.js'
import { isMuted, mayAskForNotifications, notify, prepareSound, Ring } from './ring.js'
import { nameOf } from './sentences.js'

/** @import { State } from './state.js' */

export class IncomingCallAlert {
  #ring = new Ring()
  /** @type {State | null} */
  #state = null
  /** Takes notifications away, by invitation. @type {Map<string, () => void>} */
  #notes = new Map()

  constructor() {
    prepareSound(() => this.#wake()) // a click on the button that asks for it is a click, too
    byId('notify', HTMLButtonElement).addEventListener('click', async () => {
      await Notification.requestPermission()
      this.#offer()
    })
    document.addEventListener('keydown', (event) => this.#key(event))
    this.#offer()
  }

  /** @param {State} state */
  update(state) {
    this.#state = state
    const { incoming, outgoing, chat } = state
    this.#ring.sound = incoming.length > 0 ? 'incoming' : outgoing ? 'outgoing' : null
    const [first] = incoming
    const more = incoming.length > 1 ? ` and ${incoming.length - 1} more` : ''
    this.#ring.title = first
      ? `☎ ${nameOf(first.person)}${more} calling`
      : chat
        ? `In a call with ${nameOf(chat.with)} · Parlor`
        : null
    for (const { invitation, person } of incoming) {
      if (this.#notes.has(invitation)) continue
      this.#notes.set(invitation, notify(`${nameOf(person)} is calling`, invitation))
    }
    for (const [invitation, takeAway] of this.#notes) {
      if (incoming.some((ringing) => ringing.invitation === invitation)) continue
      takeAway()
      this.#notes.delete(invitation)
    }
    this.#offer()
  }

  /** Sound is possible now: what rings already is heard. */
  #wake() {
    this.#ring.sound = null
    if (this.#state) this.update(this.#state)
  }

  /** What would make sure that a call is noticed. */
  #offer() {
    byId('notify-offer', HTMLElement).hidden = !mayAskForNotifications()
    const isRinging = (this.#state?.incoming.length ?? 0) > 0
    byId('wake', HTMLElement).hidden = !isRinging || !isMuted()
  }

  /** With the focus nowhere, Enter accepts and Escape declines who has rung longest. @param {KeyboardEvent} event */
  #key(event) {
    if (preferences().noKeys || event.repeat || event.target !== document.body) return
    const [first] = this.#state?.incoming ?? []
    if (!first || document.querySelector('dialog[open]')) return
    const what = { Enter: 'accept', Escape: 'decline' }[event.key]
    if (!what) return
    event.preventDefault()
    const card = find(byId('ringing', HTMLElement), '[data-invitation]', HTMLElement)
    find(card, `[data-do=${what}]`, HTMLButtonElement).click()
  }
}
