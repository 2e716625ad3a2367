/** @file Before the call: a name, a look into the mirror, and who is inside. Nothing is asked for but by a click. */

import { isInsecure, listDevices, openDevice, troubleWith } from './devices.js'
import { byId, find, initials, setIcon } from './dom.js'
import { get } from './http.js'
import { watchLevel } from './microphone-level.js'
import { preferences, savePreference } from './preferences.js'
import { occupancySentence } from './room-occupancy.js'

/** @import { Device, Trouble } from './devices.js' */
/** @import { RoomBoot, RoomStatus } from './boot.js' */

/** Who waits at the door sees others come within this time. */
const STATUS_MS = 4000

/**
 * What somebody joins with.
 *
 * @typedef {object} Joining
 * @property {string} name
 * @property {MediaStreamTrack | null} mic
 * @property {MediaStreamTrack | null} camera
 */

export class Prejoin {
  #boot
  #join
  /** @type {RoomStatus} */
  #status
  #statusAt = performance.now()
  /** @type {Record<Device, MediaStreamTrack | null>} */
  #tracks = { mic: null, camera: null }
  /** @type {Record<Device, HTMLButtonElement>} */
  #buttons
  /** @type {Record<Device, HTMLSelectElement>} */
  #pickers
  #name = byId('name', HTMLInputElement)
  #video = byId('preview-video', HTMLVideoElement)
  #joinButton = byId('join', HTMLButtonElement)
  #stopMeter = () => {}
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #statusTimer
  #joining = false

  /**
   * @param {RoomBoot} boot
   * @param {(joining: Joining) => Promise<void>} join
   */
  constructor(boot, join) {
    this.#boot = boot
    this.#join = join
    this.#status = boot.status
    this.#buttons = {
      mic: byId('preview-mic', HTMLButtonElement),
      camera: byId('preview-camera', HTMLButtonElement),
    }
    this.#pickers = {
      mic: byId('mic', HTMLSelectElement),
      camera: byId('camera', HTMLSelectElement),
    }
    this.#name.value ||= preferences().name ?? ''
    this.#name.addEventListener('input', () => this.#draw())
    for (const device of /** @type {Device[]} */ (['mic', 'camera'])) {
      this.#buttons[device].addEventListener('click', () => this.#toggle(device))
      this.#pickers[device].addEventListener('change', () => this.#pick(device))
    }
    byId('join-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault()
      this.#submit()
    })
    if (isInsecure()) this.#warn('camera', new DOMException('', 'InsecureOrigin'))
    this.open()
  }

  /** Shows the page, as at first or after a call. */
  open() {
    this.#draw()
    clearInterval(this.#statusTimer)
    this.#statusTimer = setInterval(() => this.#refresh(), STATUS_MS)
    this.#reopenPermitted()
  }

  /** The page is left; its tracks belong to the call now. */
  close() {
    clearInterval(this.#statusTimer)
    this.#stopMeter()
    this.#stopMeter = () => {}
    this.#video.srcObject = null
    this.#tracks = { mic: null, camera: null }
  }

  /** Where access was given before, no question appears: the devices of last time are simply on again. */
  async #reopenPermitted() {
    const { micOn, cameraOn } = preferences()
    for (const [device, on, name] of /** @type {[Device, boolean | undefined, string][]} */ ([
      ['mic', micOn, 'microphone'],
      ['camera', cameraOn, 'camera'],
    ])) {
      if (!on || this.#tracks[device]) continue
      try {
        const status = await navigator.permissions.query({ name: /** @type {any} */ (name) })
        if (status.state === 'granted') await this.#turnOn(device)
      } catch {
        // This browser does not tell; a click asks.
      }
    }
  }

  /** @param {Device} device */
  async #toggle(device) {
    if (this.#tracks[device]) {
      this.#turnOff(device)
      savePreference(device === 'mic' ? { micOn: false } : { cameraOn: false })
      return
    }
    this.#buttons[device].disabled = true
    await this.#turnOn(device)
    this.#buttons[device].disabled = false
  }

  /** @param {Device} device */
  async #turnOn(device) {
    const { micId, cameraId } = preferences()
    try {
      const track = await openDevice(device, device === 'mic' ? micId : cameraId)
      this.#turnOff(device)
      this.#tracks[device] = track
      track.addEventListener('ended', () => {
        if (this.#tracks[device] === track) this.#turnOff(device)
      })
      savePreference(device === 'mic' ? { micOn: true } : { cameraOn: true })
      this.#calm()
      await this.#fillPickers()
    } catch (error) {
      this.#warn(device, error)
    }
    this.#draw()
  }

  /** @param {Device} device */
  #turnOff(device) {
    this.#tracks[device]?.stop()
    this.#tracks[device] = null
    this.#draw()
  }

  /** @param {Device} device */
  async #pick(device) {
    const id = this.#pickers[device].value
    savePreference(device === 'mic' ? { micId: id } : { cameraId: id })
    if (this.#tracks[device]) {
      this.#turnOff(device) // phones open one camera at a time
      await this.#turnOn(device)
    }
  }

  async #fillPickers() {
    for (const device of /** @type {Device[]} */ (['mic', 'camera'])) {
      const devices = await listDevices(device)
      const picker = this.#pickers[device]
      const used = this.#tracks[device]?.getSettings().deviceId
      if (devices.length === 0) continue
      picker.replaceChildren(
        ...devices.map(({ deviceId, label }, index) => {
          const text = label || `${device === 'mic' ? 'Microphone' : 'Camera'} ${index + 1}`
          return new Option(text, deviceId, false, deviceId === used)
        }),
      )
      picker.disabled = false
    }
  }

  #draw() {
    const { mic, camera } = this.#tracks
    drawToggle(this.#buttons.mic, mic !== null, 'microphone', 'mic')
    drawToggle(this.#buttons.camera, camera !== null, 'camera', 'camera-video')
    byId('preview-initials', HTMLElement).textContent = initials(this.#name.value) || '?'
    byId('preview-off', HTMLElement).hidden = camera !== null
    this.#video.hidden = camera === null
    const shown = /** @type {MediaStream | null} */ (this.#video.srcObject)?.getTracks()[0] ?? null
    if (shown !== camera) this.#video.srcObject = camera && new MediaStream([camera])
    this.#drawMeter(mic)
    const words = byId('join-hint', HTMLElement)
    const host = this.#boot.isHost ? 'You will be the host. ' : ''
    if (mic && camera) words.textContent = `${host}Others will see and hear you.`
    else if (mic) words.textContent = `${host}Others will hear you, but not see you.`
    else if (camera) words.textContent = `${host}Others will see you, but not hear you.`
    else
      words.textContent = `${host}You'll join with camera and microphone off. You can turn them on later.`
    this.#joinButton.textContent = joinText(mic !== null, camera !== null)
  }

  /** @param {MediaStreamTrack | null} mic */
  #drawMeter(mic) {
    const meter = byId('meter', HTMLElement)
    if (meter.dataset.track === (mic?.id ?? '')) return
    meter.dataset.track = mic?.id ?? ''
    const onLevel = (/** @type {number} */ level) => {
      meter.style.setProperty('--level', String(level))
      meter.setAttribute('aria-valuenow', String(Math.round(level * 100)))
    }
    this.#stopMeter()
    this.#stopMeter = mic ? watchLevel(mic, onLevel) : () => {}
    onLevel(0)
  }

  async #refresh() {
    if (document.hidden) return
    try {
      this.showStatus(await get(`/rooms/${this.#boot.room}/status`))
    } catch {
      // The next round asks again; joining says what is wrong.
    }
  }

  /** Who is in the room and how long it has been recorded, as of the last answer. @returns {RoomStatus} */
  get status() {
    const { people, recording } = this.#status
    if (!recording) return this.#status
    const elapsedMs = recording.elapsedMs + performance.now() - this.#statusAt
    return { people, recording: { ...recording, elapsedMs } }
  }

  /** @param {RoomStatus} status */
  showStatus(status) {
    this.#status = status
    this.#statusAt = performance.now()
    byId('inside', HTMLElement).textContent = occupancySentence(status.people)
    byId('prejoin-rec', HTMLElement).hidden = status.recording === null
    const start = document.getElementById('start-form')
    const stop = document.getElementById('stop-form')
    if (start) start.hidden = status.recording !== null
    if (stop instanceof HTMLFormElement) {
      stop.hidden = status.recording === null
      if (status.recording) stop.action = `/archives/${status.recording.id}/stop`
    }
  }

  async #submit() {
    const name = this.#name.value.trim()
    if (this.#joining || name === '') return
    this.#joining = true
    this.#joinButton.disabled = true
    this.#joinButton.textContent = 'Joining…'
    savePreference({ name })
    try {
      await this.#join({ name, mic: this.#tracks.mic, camera: this.#tracks.camera })
    } catch (/** @type {any} */ error) {
      this.showProblem({ cause: error.message, remedy: error.remedy ?? '', button: null })
    }
    this.#joining = false
    this.#joinButton.disabled = false
    this.#draw()
  }

  /**
   * @param {Device} device
   * @param {unknown} error
   */
  async #warn(device, error) {
    this.showProblem(await troubleWith(device, error), () => this.#turnOn(device))
  }

  /**
   * @param {Trouble} trouble
   * @param {() => void} [retry]
   */
  showProblem(trouble, retry) {
    const note = byId('prejoin-problem', HTMLElement)
    find(note, '[data-cause]', HTMLElement).textContent = trouble.cause
    find(note, '[data-remedy]', HTMLElement).textContent = trouble.remedy
    const button = find(note, '[data-button]', HTMLButtonElement)
    button.hidden = trouble.button === null || !retry
    button.textContent = trouble.button
    button.onclick = () => retry?.()
    note.hidden = false
  }

  #calm() {
    byId('prejoin-problem', HTMLElement).hidden = true
  }
}

/**
 * @param {boolean} mic
 * @param {boolean} camera
 */
function joinText(mic, camera) {
  if (mic && camera) return 'Join'
  if (mic) return 'Join without camera'
  if (camera) return 'Join without microphone'
  return 'Join without camera and microphone'
}

/**
 * A switch says what a click does; `aria-pressed` says how it is.
 *
 * @param {HTMLButtonElement} button
 * @param {boolean} on
 * @param {string} what
 * @param {string} iconName
 * @param {[string, string]} [actions]
 */
export function drawToggle(button, on, what, iconName, actions = ['Turn on', 'Turn off']) {
  setIcon(
    button,
    iconName === 'mic'
      ? on
        ? 'mic-fill'
        : 'mic-mute-fill'
      : `${iconName}${on ? '-fill' : '-off-fill'}`,
  )
  button.classList.toggle('off', !on)
  button.setAttribute('aria-pressed', String(on))
  button.setAttribute('aria-label', `${on ? actions[1] : actions[0]} ${what}`)
}
