/** @file Being noticed: a ring made here, a title that flashes, a notification of the browser's. */

/** Two soft tones, then a pause, as long as it rings. s */
const INCOMING = { tones: [659.25, 783.99, 987.77], each: 0.18, pause: 1.6, loudness: 0.16 }
/** For who calls: that it rings on the other side. */
const OUTGOING = { tones: [440], each: 0.9, pause: 2.6, loudness: 0.05 }

const FLASH_MS = 1000

/** One tab of a browser rings, however many are open. */
const LOCK = 'parlor.ring'

/** @type {AudioContext | null} */
let context = null

/** Browsers keep the sound off until somebody has clicked or typed on the page. */
export function isMuted() {
  return context === null || context.state !== 'running'
}

/**
 * Makes sound possible as soon as the browser allows it.
 *
 * @param {() => void} changed
 */
export function prepareSound(changed) {
  const wake = async () => {
    context ??= new AudioContext()
    await context.resume().catch(() => {})
    if (isMuted()) return
    for (const name of GESTURES) document.removeEventListener(name, wake)
    changed()
  }
  for (const name of GESTURES) document.addEventListener(name, wake)
  wake() // where the browser knows this site well, no gesture is needed
}

/** Not the press: what is on the page moves when the sound is there, and the button that was pressed would lose its click. */
const GESTURES = ['click', 'keydown']

export class Ring {
  /** @type {'incoming' | 'outgoing' | null} */
  #kind = null
  #stop = new AbortController()
  #title = document.title
  /** @type {string | null} */
  #flashing = null
  #flasher = /** @type {ReturnType<typeof setInterval> | undefined} */ (undefined)

  /** @param {'incoming' | 'outgoing' | null} kind null: it is quiet */
  set sound(kind) {
    if (kind === this.#kind) return
    this.#kind = kind
    this.#stop.abort()
    this.#stop = new AbortController()
    if (kind === null) return
    const { signal } = this.#stop
    if (kind === 'outgoing') play(OUTGOING, signal)
    else alone(signal, () => play(INCOMING, signal))
  }

  /** What flashes in the tab's title; null: nothing. @param {string | null} text */
  set title(text) {
    if (text === this.#flashing) return
    this.#flashing = text
    clearInterval(this.#flasher)
    document.title = text ?? this.#title
    if (text === null) return
    this.#flasher = setInterval(() => {
      document.title = document.title === text ? this.#title : text
    }, FLASH_MS)
  }
}

/**
 * Runs something in one tab at a time, and in the next one when that is closed.
 *
 * @param {AbortSignal} signal
 * @param {() => void} run
 */
async function alone(signal, run) {
  if (!navigator.locks) return run()
  const rings = async () => {
    if (isMuted()) return // another tab may be heard
    run()
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
  }
  await navigator.locks.request(LOCK, { signal }, rings).catch(() => {}) // it was answered
}

/**
 * @param {{ tones: number[], each: number, pause: number, loudness: number }} tune
 * @param {AbortSignal} signal
 */
function play({ tones, each, pause, loudness }, signal) {
  if (!context || isMuted() || signal.aborted) return
  const out = context.createGain()
  out.connect(context.destination)
  const round = () => {
    if (!context) return
    const begin = context.currentTime + 0.02
    for (const [index, hz] of tones.entries()) {
      const at = begin + index * each
      const tone = context.createOscillator()
      const swell = context.createGain()
      tone.frequency.value = hz
      swell.gain.setValueAtTime(0, at)
      swell.gain.linearRampToValueAtTime(loudness, at + 0.02)
      swell.gain.exponentialRampToValueAtTime(0.001, at + each * 1.6)
      tone.connect(swell).connect(out)
      tone.start(at)
      tone.stop(at + each * 1.7)
    }
  }
  round()
  const timer = setInterval(round, (tones.length * each + pause) * 1000)
  signal.addEventListener('abort', () => {
    clearInterval(timer)
    out.disconnect()
  })
}

/** Whether asking for notifications can help. */
export function mayAskForNotifications() {
  return 'Notification' in window && Notification.permission === 'default'
}

/**
 * Tells somebody who looks elsewhere. The same call shows once, however many tabs are open.
 *
 * @param {string} title
 * @param {string} tag
 * @returns {() => void} takes it away
 */
export function notify(title, tag) {
  if (!('Notification' in window) || Notification.permission !== 'granted') return () => {}
  if (document.visibilityState === 'visible' && document.hasFocus()) return () => {}
  try {
    const note = new Notification(title, {
      tag,
      body: 'Answer in Parlor.',
      icon: '/static/icon.svg',
    })
    note.addEventListener('click', () => {
      window.focus()
      note.close()
    })
    return () => note.close()
  } catch {
    return () => {} // phones only know notifications of service workers
  }
}
