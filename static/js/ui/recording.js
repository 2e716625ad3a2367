/** @file Whether the call is being recorded, for everybody; starting and stopping it, for the host. */

import { confirmAction } from './confirm.js'
import { byId } from './dom.js'
import { post } from './http.js'
import { clockTime } from './time.js'
import { toast } from './toast.js'

/** @import { RoomBoot, RoomStatus } from './boot.js' */

export class Recording {
  #boot
  /** @type {string | null} the archive that records now */
  #id = null
  #since = 0
  /** What recorded when we were let in. @type {{ id: string, since: number } | null} */
  #before = null
  /** @type {string | null} the last archive that ended while we were here */
  last = null
  #timer = /** @type {ReturnType<typeof setInterval> | undefined} */ (undefined)
  #pill = byId('rec', HTMLElement)

  /** @param {RoomBoot} boot */
  constructor(boot) {
    this.#boot = boot
    this.#on('start-archive', () => this.#start())
    this.#on('stop-archive', () => this.#stop())
  }

  /** @param {string} id @param {() => void} run */
  #on(id, run) {
    document.getElementById(id)?.addEventListener('click', run)
  }

  /** We have just been let in. @param {RoomStatus} status */
  letIn({ recording }) {
    this.#before = recording && {
      id: recording.id,
      since: performance.now() - recording.elapsedMs,
    }
  }

  /** An archive records this session, from now on or since before we came. @param {string} id */
  started(id) {
    if (this.#id === id) return
    const before = this.#before?.id === id ? this.#before : null
    this.#id = id
    this.#since = before?.since ?? performance.now()
    this.#draw()
    const late = before !== null
    this.#pill.classList.toggle('fresh', !late)
    const words = late ? 'This call is being recorded.' : 'Recording has started.'
    byId('alert', HTMLElement).textContent = words
    toast(words)
  }

  /** @param {string} id */
  stopped(id) {
    if (this.#id !== id) return
    this.#id = null
    this.last = id
    this.#draw()
    const words = 'Recording has stopped.'
    byId('alert', HTMLElement).textContent = words
    const link = { text: 'Open archive', href: `/archives/${id}` }
    toast(words, this.#boot.isHost ? { link, ms: 15_000 } : {})
  }

  /** The call is over for us. */
  close() {
    this.#id = null
    this.#draw()
  }

  #draw() {
    clearInterval(this.#timer)
    this.#pill.hidden = this.#id === null
    const show = (/** @type {string} */ id, /** @type {boolean} */ on) => {
      const button = document.getElementById(id)
      if (button instanceof HTMLButtonElement) {
        button.hidden = !on
        button.disabled = false
        setText(button, id === 'start-archive' ? 'Start archiving' : 'Stop archiving')
      }
    }
    show('start-archive', this.#id === null)
    show('stop-archive', this.#id !== null)
    if (this.#id === null) return
    const tick = () => {
      byId('rec-time', HTMLElement).textContent = clockTime(performance.now() - this.#since)
    }
    tick()
    this.#timer = setInterval(tick, 500)
  }

  async #start() {
    const button = byId('start-archive', HTMLButtonElement)
    button.disabled = true
    setText(button, 'Starting…')
    try {
      // The session tells everybody, us included, that the archive has started.
      await post('/archives', this.#boot.csrf, { room: this.#boot.room })
    } catch (/** @type {any} */ error) {
      toast(`${error.message} ${error.remedy ?? ''}`, { ms: 12_000 })
      this.#draw()
    }
  }

  async #stop() {
    const id = this.#id
    if (!id) return
    const yes = await confirmAction({
      title: 'Stop archiving?',
      text: 'You can watch the recording as soon as you stop. You can start another one.',
      button: 'Stop archiving',
    })
    if (!yes || this.#id !== id) return
    const button = byId('stop-archive', HTMLButtonElement)
    button.disabled = true
    setText(button, 'Stopping…')
    try {
      await post(`/archives/${id}/stop`, this.#boot.csrf)
    } catch (/** @type {any} */ error) {
      toast(`${error.message} ${error.remedy ?? ''}`, { ms: 12_000 })
      this.#draw()
    }
  }
}

/** @param {HTMLButtonElement} button @param {string} text */
function setText(button, text) {
  const words = button.querySelector('.text')
  if (words) words.textContent = text
  button.setAttribute('aria-label', text)
}
