/** @file The name that somebody comes in under: typed, remembered, or changed later. */

import { byId } from '../ui/dom.js'
import { preferences, savePreference } from '../ui/preferences.js'

export class NameForm {
  #enter
  #field = byId('name', HTMLInputElement)
  #button = byId('enter', HTMLButtonElement)
  #problem = byId('name-problem', HTMLElement)
  #title = byId('door-title', HTMLElement)

  /**
   * @param {string} name the one of before; empty at first
   * @param {(name: string) => Promise<void>} enter
   */
  constructor(name, enter) {
    this.#enter = enter
    this.#field.value = this.#field.value || name || (preferences().name ?? '')
    byId('name-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault()
      this.enter(this.#field.value)
    })
    this.#field.addEventListener('input', () => this.#showProblem(null))
    byId('stay', HTMLButtonElement).addEventListener('click', () => this.close())
  }

  /** Comes in under this name, or says why not. @param {string} name */
  async enter(name) {
    if (this.#button.disabled) return
    this.#button.disabled = true
    this.#showProblem(null)
    try {
      await this.#enter(name)
      savePreference({ name: name.trim() })
      this.close()
    } catch (/** @type {any} */ error) {
      this.open(name, `${error.message} ${error.remedy ?? ''}`)
    }
    this.#button.disabled = false
  }

  /**
   * @param {string} name
   * @param {string | null} problem
   * @param {boolean} [mayStay] there is a name already
   */
  open(name, problem, mayStay = false) {
    this.#field.value = name
    byId('door', HTMLElement).hidden = false
    byId('desk', HTMLElement).hidden = true
    byId('stay', HTMLButtonElement).hidden = !mayStay
    if (mayStay) {
      this.#title.textContent = 'Change your name'
      byId('door-text', HTMLElement).textContent = 'Everyone sees the change immediately.'
      this.#button.textContent = 'Change name'
    }
    this.#showProblem(problem)
    this.#field.focus()
    this.#field.select()
  }

  close() {
    const hadFocus = byId('door', HTMLElement).contains(document.activeElement)
    byId('door', HTMLElement).hidden = true
    byId('desk', HTMLElement).hidden = false
    if (hadFocus) byId('roster-title', HTMLElement).focus({ preventScroll: true })
  }

  /** @param {string | null} problem */
  #showProblem(problem) {
    this.#problem.textContent = problem
    this.#problem.hidden = problem === null
    this.#field.setAttribute('aria-invalid', String(problem !== null))
    this.#field.classList.toggle('is-invalid', problem !== null)
  }
}
