/** @file The call of two on the page: from joining its session until it is over, with what can fail on the way. */

import { Call } from '../ui/call.js'
import { CallBar } from '../ui/call-bar.js'
import { openDevice } from '../ui/devices.js'
import { byId, find } from '../ui/dom.js'
import { get, postJson } from '../ui/http.js'
import { repeat } from '../ui/interval.js'
import { loadLibrary } from '../ui/library.js'
import { preferences } from '../ui/preferences.js'
import { clockTime } from '../ui/time.js'
import { DeviceWarnings } from './device-warnings.js'
import { nameOf } from './sentences.js'

/** @import { OwnState } from '../ui/call.js' */
/** @import { Problem } from '../ui/http.js' */
/** @import { Joining } from '../ui/prejoin.js' */
/** @import { Consent } from './consent.js' */
/** @import { Chat } from './state.js' */

/** After a lost call: the first try to join again, and the longest pause between tries. */
const RETRY_FIRST_MS = 500
const RETRY_LONGEST_MS = 5000

/** What was on, for a page that is reloaded in a call. */
const STORAGE_KEY = 'parlor.chat'

/** @typedef {{ mic: boolean, camera: boolean }} On */

export class CallView {
  #consent
  #library
  #nameOf
  #over
  /** @type {Call | null} */
  #call = null
  /** @type {Chat | null} */
  #chat = null
  /** Ends what runs only during a call. */
  #during = new AbortController()
  #pause = RETRY_FIRST_MS
  #bar = new CallBar(() => this.#call)
  #deviceWarnings = new DeviceWarnings((device) => {
    if (device === 'mic') this.#call?.setMic(true)
    else this.#call?.setCamera(true)
  })

  /**
   * @param {Consent} consent
   * @param {string | null} library address of the library of another platform, which calls are on
   * @param {{ name: () => string, over: (problem: Problem) => void }} around `name`: our own; `over`: the server does not
   *   let us into the call
   */
  constructor(consent, library, { name, over }) {
    this.#consent = consent
    this.#library = library
    this.#nameOf = name
    this.#over = over
    window.addEventListener('pagehide', () => this.#call?.leave())
  }

  /** The call that is shown. @returns {Chat | null} */
  get chat() {
    return this.#chat
  }

  /** @param {Chat} chat @param {boolean} audioOnly */
  enter(chat, audioOnly) {
    this.#chat = chat
    this.#during = new AbortController()
    const { signal } = this.#during
    const name = nameOf(chat.with)
    const title = find(byId('call', HTMLElement), 'h1', HTMLElement)
    title.textContent = name
    byId('call', HTMLElement).setAttribute('aria-label', `The call with ${name}`)
    show(true)
    title.focus({ preventScroll: true })
    this.#wait(`Waiting for ${name} to come in…`)
    this.#deviceWarnings.clear()
    this.#consent.open(chat)
    this.#draw({ ...(recall(chat.sessionId) ?? { mic: true, camera: !audioOnly }), sharing: false })
    repeat(1000, signal, () => {
      byId('call-time', HTMLElement).textContent = clockTime(Date.now() - chat.begunAt)
    })
    this.#bar.begin(signal)
    this.#join(signal, recall(chat.sessionId) ?? { mic: true, camera: !audioOnly })
  }

  /** The call is over. */
  leave() {
    if (!this.#chat) return
    this.#chat = null
    this.#during.abort()
    this.#call?.leave()
    this.#call = null
    this.#consent.close()
    this.#reconnecting(false)
    document.getElementById('toasts')?.replaceChildren() // they were about the call
    show(false)
  }

  /** @param {AbortSignal} signal @param {On} on */
  async #join(signal, on) {
    const chat = this.#chat
    if (!chat) return
    try {
      // Whoever never said yes to the camera is in the call before the browser has been answered.
      const isQuick = await isGranted()
      const devices = isQuick ? await open(on) : { mic: null, camera: null, troubles: [] }
      const pass = await get(`/chats?sessionId=${encodeURIComponent(chat.sessionId)}`).catch(
        (error) => {
          stop(devices)
          throw error
        },
      )
      await loadLibrary(this.#library).catch((problem) => {
        stop(devices)
        throw problem
      })
      if (signal.aborted) return stop(devices)
      const call = this.#make(pass, { name: this.#nameOf(), ...devices }, signal)
      this.#call = call
      await call.connect()
      if (signal.aborted) return call.leave()
      if (this.#library) this.#report(chat, call, signal)
      this.#pause = RETRY_FIRST_MS
      this.#reconnecting(false)
      this.#draw(call.state)
      for (const [device, error] of devices.troubles) await this.#deviceWarnings.add(device, error)
      if (isQuick) return
      // One question after the other.
      if (on.mic) await call.setMic(true)
      if (on.camera && !signal.aborted) await call.setCamera(true)
    } catch (/** @type {any} */ error) {
      if (signal.aborted) return
      this.#call = null
      if (error.status >= 400 && error.status < 500 && error.status !== 429) this.#over(error)
      else this.#retry(signal, on)
    }
  }

  /**
   * @param {any} pass
   * @param {Joining} joining
   * @param {AbortSignal} signal
   */
  #make(pass, joining, signal) {
    const name = nameOf(/** @type {Chat} */ (this.#chat).with)
    let wasThere = false
    return new Call(pass, joining, {
      isHost: false,
      isPair: true,
      isRemote: this.#library !== null,
      recording: {
        started: (id) => this.#consent.started(id),
        stopped: (id) => this.#consent.stopped(id),
        close: () => {}, // the call may be joined again
      },
      people: (people) => {
        const isThere = people.length > 1
        wasThere ||= isThere
        const waits = wasThere ? `${name} is reconnecting…` : `Waiting for ${name} to come in…`
        this.#wait(isThere ? null : waits)
      },
      changed: (state) => {
        this.#draw(state)
        if (!signal.aborted) this.#saveDevices(state)
      },
      trouble: (device, trouble) => this.#deviceWarnings.show(device, trouble),
      ended: (reason) => {
        if (signal.aborted) return
        const state = this.#call?.state ?? { mic: true, camera: true }
        this.#call = null
        // The server disconnects both when the call is over, and tells why.
        if (reason === 'forceDisconnected' || reason === 'clientDisconnected') return
        this.#reconnecting(true)
        this.#retry(signal, state)
      },
      reconnecting: (waiting) => this.#reconnecting(waiting),
      chatIsOpen: () => !byId('chat', HTMLElement).hidden,
    })
  }

  /**
   * Says which connection is ours: another platform does not tell our server who comes.
   *
   * @param {Chat} chat
   * @param {Call} call
   * @param {AbortSignal} signal
   */
  async #report(chat, call, signal) {
    while (!signal.aborted && call.connectionId) {
      try {
        const connection = call.connectionId
        return await postJson(`/chats/${encodeURIComponent(chat.sessionId)}/connection`, {
          connection,
        })
      } catch (/** @type {any} */ error) {
        if (error.status >= 400 && error.status < 500) return // the call is over
        await new Promise((resolve) => setTimeout(resolve, RETRY_FIRST_MS))
      }
    }
  }

  /** @param {AbortSignal} signal @param {On} on */
  #retry(signal, on) {
    this.#reconnecting(true)
    const pause = this.#pause * (0.7 + 0.6 * Math.random())
    this.#pause = Math.min(this.#pause * 1.6, RETRY_LONGEST_MS)
    const timer = setTimeout(() => this.#join(signal, on), pause)
    signal.addEventListener('abort', () => clearTimeout(timer))
  }

  /** @param {OwnState} state */
  #draw(state) {
    this.#bar.draw(state)
    this.#deviceWarnings.settled(state)
  }

  /** @param {OwnState} state */
  #saveDevices({ mic, camera }) {
    try {
      const saved = { sessionId: this.#chat?.sessionId, mic, camera }
      sessionStorage.setItem(STORAGE_KEY, JSON.stringify(saved))
    } catch {
      // A reload starts with both on then.
    }
  }

  /** @param {string | null} words */
  #wait(words) {
    const note = byId('alone', HTMLElement)
    note.hidden = words === null
    note.textContent = words
  }

  /** @param {boolean} on */
  #reconnecting(on) {
    const banner = byId('banner', HTMLElement)
    banner.hidden = !on
    find(banner, 'span', HTMLElement).textContent = on
      ? 'The connection was lost. Reconnecting…'
      : ''
  }
}

/** @param {string} sessionId @returns {On | null} */
function recall(sessionId) {
  try {
    const saved = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? 'null')
    return saved?.sessionId === sessionId ? saved : null
  } catch {
    return null
  }
}

/** @param {boolean} on */
function show(on) {
  byId('main', HTMLElement).hidden = on
  byId('call', HTMLElement).hidden = !on
  document.body.classList.toggle('in-call', on)
}

/** Whether devices open without a question. */
async function isGranted() {
  try {
    const names = /** @type {any[]} */ (['microphone', 'camera'])
    const states = await Promise.all(names.map((name) => navigator.permissions.query({ name })))
    return states.every(({ state }) => state === 'granted')
  } catch {
    return false // a browser that does not tell
  }
}

/**
 * Opens what is to be on. What cannot be opened is told, and the call goes on without it.
 *
 * @param {On} on
 */
async function open(on) {
  const { micId, cameraId } = preferences()
  /** @type {['mic' | 'camera', unknown][]} */
  const troubles = []
  const attempt = async (
    /** @type {'mic' | 'camera'} */ device,
    /** @type {string | undefined} */ id,
  ) => {
    if (!on[device]) return null
    try {
      return await openDevice(device, id)
    } catch (error) {
      troubles.push([device, error])
      return null
    }
  }
  const [mic, camera] = await Promise.all([attempt('mic', micId), attempt('camera', cameraId)])
  return { mic, camera, troubles }
}

/** @param {{ mic: MediaStreamTrack | null, camera: MediaStreamTrack | null }} devices */
function stop({ mic, camera }) {
  mic?.stop()
  camera?.stop()
}
