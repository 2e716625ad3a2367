/** @file Recording a call of two: one asks, the other agrees or refuses, both see it and may stop it. */

import { byId, find, setIcon } from '../ui/dom.js'
import { postJson } from '../ui/http.js'
import { clockTime } from '../ui/time.js'
import { toast } from '../ui/toast.js'
import { nameOf } from './sentences.js'

/** @import { Chat } from './state.js' */
/** @import { RecordingNews } from './types.js' */

/** After this long a question counts as refused; the server counts, too. */
const ASKED_MS = 30_000

/** When an archive began, for a page that is reloaded meanwhile. */
const STORAGE_KEY = 'parlor.recording'

/** @typedef {'off' | 'asking' | 'asked' | 'starting' | 'on' | 'stopping'} State */

/** @type {Record<State, string>} */
const LABELS = {
  off: 'Record',
  asking: 'Cancel request',
  asked: 'Record',
  starting: 'Starting…',
  on: 'Stop recording',
  stopping: 'Stopping…',
}

export class Consent {
  #me
  /** @type {Chat | null} */
  #chat = null
  /** @type {State} */
  #state = 'off'
  /** @type {string | null} */
  #archive = null
  #since = 0
  #askedAt = 0
  /** Whether something of this call was recorded. */
  wasRecorded = false
  #timer = /** @type {ReturnType<typeof setInterval> | undefined} */ (undefined)
  #button = byId('record', HTMLButtonElement)

  /** @param {() => string | undefined} me our user */
  constructor(me) {
    this.#me = me
    this.#button.addEventListener('click', () => this.#click())
    byId('consent-agree', HTMLButtonElement).addEventListener('click', () => this.#answer('agree'))
    byId('consent-refuse', HTMLButtonElement).addEventListener('click', () =>
      this.#answer('refuse'),
    )
  }

  /** A call begins. @param {Chat} chat */
  open(chat) {
    this.#chat = chat
    this.wasRecorded = false
    this.#become('off')
    const { sessionId, recording } = chat
    if (recording) this.apply({ type: 'recording', sessionId, message: null, ...recording })
  }

  /** The call is over for us. */
  close() {
    this.#archive = null
    this.#become('off')
  }

  /** @param {RecordingNews} news */
  apply({ sessionId, state, by, message }) {
    if (!this.#chat || sessionId !== this.#chat.sessionId) return
    const isOwn = by === this.#me()
    const name = nameOf(this.#chat.with)
    switch (state) {
      case 'asked':
        this.#askedAt = performance.now()
        this.#become(isOwn ? 'asking' : 'asked')
        if (isOwn) toast(`Waiting for ${name}'s consent…`)
        else alert(`${name} asks to record this call. Nothing is recorded unless you agree.`)
        return
      case 'agreed':
        this.#become('starting')
        return
      case 'refused':
        announce(message ?? `${this.#refusal(isOwn, name)} Nothing is recorded.`)
        this.#become('off')
        return
      case 'failed':
        this.#become('off')
        announce(message ?? 'The call could not be recorded.')
        return
      default:
      // Started and stopped are told by the session itself.
    }
  }

  /** @param {boolean} isOwn @param {string} name */
  #refusal(isOwn, name) {
    const wasOurs = this.#state === 'asking'
    const isLate = performance.now() - this.#askedAt > ASKED_MS - 1000
    if (wasOurs && isOwn) return 'Request cancelled.'
    if (isLate) return isOwn ? 'You did not answer in time.' : `${name} did not answer in time.`
    if (isOwn) return 'You refused.'
    return wasOurs ? `${name} refused.` : `${name} took the question back.`
  }

  /** An archive records the call, from now on or since before we came. @param {string} id */
  started(id) {
    if (this.#archive === id) return
    this.#archive = id
    this.wasRecorded = true
    const saved = savedRecording()
    const isLate = saved?.id === id
    this.#since = isLate ? saved.at : Date.now()
    saveRecording({ id, at: this.#since })
    byId('rec', HTMLElement).classList.toggle('fresh', !isLate)
    this.#become('on')
    announce(
      isLate ? 'This call is being recorded.' : 'Recording has started. Both of you may stop it.',
    )
  }

  /** @param {string} id */
  stopped(id) {
    if (this.#archive !== id) return
    this.#archive = null
    this.#become('off')
    alert('Recording has stopped.')
    toast('Recording has stopped.', {
      link: { text: 'Your recordings', href: '/buddies/recordings' },
      ms: 15_000,
    })
  }

  /** @param {State} state */
  #become(state) {
    this.#state = state
    this.#button.disabled = state === 'starting' || state === 'stopping'
    this.#button.hidden = state === 'asked'
    this.#button.classList.toggle('rec', state === 'on' || state === 'stopping')
    setIcon(this.#button, state === 'on' || state === 'stopping' ? 'stop-fill' : 'record-circle')
    find(this.#button, '.text', HTMLElement).textContent = LABELS[state]
    this.#button.setAttribute('aria-label', state === 'off' ? 'Record this call' : LABELS[state])
    byId('rec', HTMLElement).hidden = this.#archive === null
    const consent = byId('consent', HTMLElement)
    const hadFocus = consent.contains(document.activeElement)
    consent.hidden = state !== 'asked'
    if (this.#chat) find(consent, 'bdi', HTMLElement).textContent = nameOf(this.#chat.with)
    for (const button of consent.querySelectorAll('button')) button.disabled = false
    if (hadFocus && consent.hidden) this.#button.focus()
    clearInterval(this.#timer)
    if (state !== 'asked' && this.#archive === null) return
    this.#tick()
    this.#timer = setInterval(() => this.#tick(), 500)
  }

  #tick() {
    byId('rec-time', HTMLElement).textContent = clockTime(Date.now() - this.#since)
    const left = Math.max(0, ASKED_MS - (performance.now() - this.#askedAt))
    byId('consent-time', HTMLElement).textContent =
      `Without an answer in ${Math.ceil(left / 1000)} s it counts as refused.`
  }

  #click() {
    if (this.#state === 'off') this.#ask('ask')
    else if (this.#state === 'asking') this.#ask('refuse')
    else if (this.#state === 'on') {
      this.#become('stopping')
      this.#ask('stop')
    }
  }

  /** @param {'agree' | 'refuse'} action */
  #answer(action) {
    for (const button of byId('consent', HTMLElement).querySelectorAll('button')) {
      button.disabled = true
    }
    this.#ask(action)
  }

  /** @param {'ask' | 'agree' | 'refuse' | 'stop'} action */
  async #ask(action) {
    if (!this.#chat) return
    if (action === 'ask') this.#button.disabled = true
    try {
      await postJson(`/chats/${encodeURIComponent(this.#chat.sessionId)}/recording`, { action })
    } catch (/** @type {any} */ error) {
      toast(`${error.message} ${error.remedy ?? ''}`, { ms: 12_000 })
      this.#become(this.#archive ? 'on' : this.#state === 'asked' ? 'asked' : 'off')
    }
  }
}

/** @param {string} text */
function announce(text) {
  alert(text)
  toast(text, { ms: 10_000 })
}

/** To screen readers, at once. @param {string} text */
function alert(text) {
  byId('alert', HTMLElement).textContent = text
}

/** @returns {{ id: string, at: number } | null} */
function savedRecording() {
  try {
    return JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? 'null')
  } catch {
    return null
  }
}

/** @param {{ id: string, at: number }} recording */
function saveRecording(recording) {
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(recording))
  } catch {
    // The time counts from the reload then.
  }
}
