/** @file The bar of a call: microphone, camera, screen, panels and keys; the same in rooms and between buddies. */

import { listDevices } from './devices.js'
import { byId, find, icon } from './dom.js'
import { repeat } from './interval.js'
import { listenForKeys } from './keys.js'
import { watchLevel } from './microphone-level.js'
import { preferences, savePreference } from './preferences.js'
import { drawToggle } from './prejoin.js'
import { toast } from './toast.js'

/** @import { Call, OwnState } from './call.js' */

/** Talking while muted is mentioned again after this time at the earliest. */
const MUTED_HINT_MS = 30_000

/** Panels beside the tiles, as far as the page has them. */
const SIDES = ['chat', 'people']

export class CallBar {
  #call

  /** @param {() => Call | null} call the one that goes on */
  constructor(call) {
    this.#call = call
    for (const device of /** @type {const} */ (['mic', 'camera'])) this.#deviceMenu(device)
    click('mic-button', () => this.#toggleMic())
    click('camera-button', () => this.#toggleCamera())
    click('share-button', () => call()?.toggleScreen())
    click('help', () => this.#help())
    for (const side of this.#sides) {
      click(`${side}-button`, () => this.toggleSide(side))
      const close = find(byId(side, HTMLElement), '[data-close]', HTMLButtonElement)
      close.addEventListener('click', () => this.#setSide(side, false))
    }
    const useKeys = byId('use-keys', HTMLInputElement)
    useKeys.checked = !preferences().noKeys
    useKeys.addEventListener('change', () => savePreference({ noKeys: !useKeys.checked }))
    // An open menu closes when somebody clicks elsewhere or presses Escape.
    document.addEventListener('click', (event) => closeMenus(event.target))
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') closeMenus(null)
    })
  }

  /**
   * A call has begun.
   *
   * @param {AbortSignal} signal its end
   * @param {Record<string, () => void>} [keys] more of them
   */
  begin(signal, keys = {}) {
    listenForKeys(
      {
        m: () => this.#toggleMic(),
        v: () => this.#toggleCamera(),
        d: () => byId('share-button', HTMLButtonElement).hidden || this.#call()?.toggleScreen(),
        c: () => this.toggleSide('chat'),
        '?': () => this.#help(),
        ...keys,
      },
      {
        hold: () => {
          const call = this.#call()
          if (!call || call.state.mic) return false
          call.setMic(true)
          return true
        },
        release: () => this.#call()?.setMic(false),
      },
      signal,
    )
    this.#hintWhileMuted(signal)
    signal.addEventListener('abort', () => {
      for (const side of this.#sides) this.#setSide(side, false)
    })
  }

  /** @param {OwnState} state */
  draw({ mic, camera, sharing }) {
    drawToggle(byId('mic-button', HTMLButtonElement), mic, 'microphone', 'mic', ['Unmute', 'Mute'])
    drawToggle(byId('camera-button', HTMLButtonElement), camera, 'camera', 'camera-video')
    const share = byId('share-button', HTMLButtonElement)
    share.hidden = !navigator.mediaDevices?.getDisplayMedia
    share.setAttribute('aria-pressed', String(sharing))
    share.setAttribute('aria-label', sharing ? 'Stop sharing your screen' : 'Share your screen')
    share.classList.toggle('on', sharing)
    find(share, '.text', HTMLElement).textContent = sharing ? 'Stop sharing' : 'Share'
  }

  /** @param {string} side */
  toggleSide(side) {
    const opens = byId(side, HTMLElement).hidden === true
    for (const each of this.#sides) this.#setSide(each, each === side && opens)
    if (!opens || side !== 'chat') return
    this.#call()?.chat.opened()
    find(byId('chat', HTMLElement), 'input', HTMLInputElement).focus()
  }

  get #sides() {
    return SIDES.filter((side) => document.getElementById(side) !== null)
  }

  /** @param {string} side @param {boolean} open */
  #setSide(side, open) {
    const panel = byId(side, HTMLElement)
    const button = byId(`${side}-button`, HTMLButtonElement)
    const hadFocus = panel.contains(document.activeElement)
    panel.hidden = !open
    button.setAttribute('aria-pressed', String(open))
    button.classList.toggle('on', open)
    if (!open && hadFocus) button.focus()
  }

  #toggleMic() {
    const call = this.#call()
    call?.setMic(!call.state.mic)
  }

  #toggleCamera() {
    const call = this.#call()
    call?.setCamera(!call.state.camera)
  }

  #help() {
    const dialog = byId('help-dialog', HTMLDialogElement)
    if (!dialog.open) dialog.showModal()
  }

  /** @param {AbortSignal} signal */
  #hintWhileMuted(signal) {
    /** @type {MediaStreamTrack | null} */
    let ear = null
    let stop = () => {}
    let loud = 0
    let told = -MUTED_HINT_MS
    repeat(500, signal, () => {
      const source = this.#call()?.mutedEar ?? null
      if (source === ear) return
      stop()
      ear = source
      loud = 0
      stop = source
        ? watchLevel(source, (level) => {
            loud = level > 0.62 ? loud + 1 : 0
            if (loud < 8 || performance.now() - told < MUTED_HINT_MS) return
            told = performance.now()
            const run = () => this.#call()?.setMic(true)
            toast("You're talking, but you're muted.", { button: { text: 'Unmute', run } })
          })
        : () => {}
    })
    signal.addEventListener('abort', () => stop())
  }

  /** @param {'mic' | 'camera'} device */
  #deviceMenu(device) {
    const menu = byId(`${device}-menu`, HTMLDetailsElement)
    menu.addEventListener('toggle', async () => {
      if (!menu.open) return
      const devices = await listDevices(device)
      const popup = find(menu, '.popup', HTMLElement)
      popup.replaceChildren()
      if (devices.length === 0) {
        const words = document.createElement('p')
        words.textContent =
          device === 'mic'
            ? 'Turn on the microphone to choose one.'
            : 'Turn on the camera to choose one.'
        popup.append(words)
      }
      const used = this.#call()?.deviceId(device)
      for (const { deviceId, label } of devices) {
        const button = document.createElement('button')
        button.type = 'button'
        button.setAttribute('aria-pressed', String(deviceId === used))
        const mark = icon('check-lg')
        if (deviceId !== used) mark.style.visibility = 'hidden'
        button.append(mark, label || (device === 'mic' ? 'Microphone' : 'Camera'))
        button.addEventListener('click', () => {
          menu.open = false
          this.#call()?.setDevice(device, deviceId)
        })
        popup.append(button)
      }
    })
  }
}

/** @param {string} id @param {() => void} run */
function click(id, run) {
  byId(id, HTMLButtonElement).addEventListener('click', run)
}

/** @param {EventTarget | null} target */
function closeMenus(target) {
  for (const menu of document.querySelectorAll('.stage details[open]')) {
    if (!(target instanceof Node) || !menu.contains(target)) menu.removeAttribute('open')
  }
}
