/** @file The chat of a call: signals of the session, shown and sent. Nothing is kept. */

import { byId, find } from './dom.js'
import { toast } from './toast.js'

/** The signals' type. */
const TYPE = 'chat'

/** Older messages go, so that a long call stays light. */
const MOST_MESSAGES = 500

export class Chat {
  #list = byId('messages', HTMLOListElement)
  #isOpen
  #unread = 0

  /**
   * @param {any} session
   * @param {{ isOpen: () => boolean, nameOf: (connection: any) => string }} around
   */
  constructor(session, { isOpen, nameOf }) {
    this.#isOpen = isOpen
    this.#list.replaceChildren()
    session.on(`signal:${TYPE}`, (/** @type {any} */ event) => {
      if (typeof event.data !== 'string' || !event.from) return
      const own = event.from.connectionId === session.connection?.connectionId
      this.#show(own ? 'You' : nameOf(event.from), event.data)
      if (!own && !this.#isOpen()) this.#missed(nameOf(event.from), event.data)
    })
    byId('chat-form', HTMLFormElement).onsubmit = (event) => {
      event.preventDefault()
      const input = find(byId('chat-form', HTMLFormElement), 'input', HTMLInputElement)
      const text = input.value.trim()
      if (text === '') return
      session.signal({ type: TYPE, data: text }, (/** @type {any} */ error) => {
        if (error) toast("The message wasn't sent. Try again in a moment.")
        else input.value = ''
      })
    }
  }

  /** What was missed has been seen. */
  opened() {
    this.#unread = 0
    this.#count()
    this.#list.scrollTop = this.#list.scrollHeight
  }

  /** @param {string} name @param {string} text */
  #show(name, text) {
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40
    const item = document.createElement('li')
    item.className = 'message'
    const who = document.createElement('b')
    who.textContent = name
    const when = document.createElement('time')
    when.textContent = new Date().toLocaleTimeString(undefined, {
      hour: '2-digit',
      minute: '2-digit',
    })
    const words = document.createElement('p')
    words.textContent = text
    item.append(who, when, words)
    this.#list.append(item)
    while (this.#list.children.length > MOST_MESSAGES) this.#list.firstElementChild?.remove()
    if (atEnd || name === 'You') this.#list.scrollTop = this.#list.scrollHeight
  }

  /** @param {string} name @param {string} text */
  #missed(name, text) {
    this.#unread += 1
    this.#count()
    toast(`${name}: ${text.length > 120 ? `${text.slice(0, 120)}…` : text}`)
  }

  #count() {
    const count = find(byId('chat-button', HTMLButtonElement), '.count', HTMLElement)
    count.hidden = this.#unread === 0
    count.textContent = this.#unread > 99 ? '99+' : String(this.#unread)
    const label = this.#unread === 0 ? 'Open chat' : `Open chat, ${this.#unread} new`
    byId('chat-button', HTMLButtonElement).setAttribute('aria-label', label)
  }
}
