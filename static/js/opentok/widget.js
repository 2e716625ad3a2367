/**
 * @file The element that shows a publisher or a subscriber, with the classes that pages style it by.
 *
 * Holds no state of the call: it shows what it is told and reports clicks.
 */

import { installStyles } from './css.js'
import { cssLength, insertRoot, whenTargetIsKnown } from './insert-mode.js'

/** How long "Archiving off" stays to be read. */
const ARCHIVING_OFF_MS = 5000

/** Below these widths there is no room for all of the chrome. */
const MINI_PX = 128
const MICRO_PX = 64

const MICROPHONE =
  'M12 14a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v5a3 3 0 0 0 3 3Zm5-3a5 5 0 0 1-10 0H5a7 7 0 0 0 6 6.9V21h2v-3.1A7 7 0 0 0 19 11Z'
const SPEAKER = 'M4 9v6h4l5 5V4L8 9Zm12.5 3A4.5 4.5 0 0 0 14 8v8a4.5 4.5 0 0 0 2.5-4Z'
const SLASH = 'M3 4.3 4.3 3 21 19.7 19.7 21Z'

/** @typedef {'auto' | 'on' | 'off'} DisplayMode */

/**
 * @typedef {object} Style
 * @property {DisplayMode} [nameDisplayMode]
 * @property {DisplayMode} [buttonDisplayMode]
 * @property {DisplayMode} [audioLevelDisplayMode]
 * @property {DisplayMode} [archiveStatusDisplayMode]
 * @property {DisplayMode} [videoDisabledDisplayMode]
 * @property {string} [backgroundImageURI]
 */

/**
 * @typedef {object} WidgetOptions
 * @property {'publisher' | 'subscriber'} role
 * @property {string} id of a new root element
 * @property {Record<string, any>} properties as the page gave them
 * @property {() => void} onMuteClick
 * @property {(element: HTMLElement) => void} onPlaced
 */

export class Widget {
  /** @type {HTMLElement | null} the root; null before it has a place, or without default UI */
  element = null
  /** @type {HTMLVideoElement} */
  video

  #options
  /** @type {Style} */
  #style
  #classes = new Set(['OT_root'])
  #destroyed = false
  #archivingTimer = /** @type {any} */ (null)
  /** @type {ResizeObserver | null} */
  #sizes = null

  #poster = element('div', 'OT_video-poster')
  #name = element('h1', 'OT_name')
  #mute = /** @type {HTMLButtonElement} */ (element('button', 'OT_mute'))
  #meter = element('div', 'OT_audio-level-meter')
  #level = element('div', 'OT_audio-level-meter__value')
  #archiving = element('h1', 'OT_archiving')
  #archivingText = element('span', 'OT_archiving-status')

  /**
   * @param {any} target
   * @param {WidgetOptions} options
   */
  constructor(target, options) {
    this.#options = options
    const { role, properties, onMuteClick } = options
    this.#style = { ...properties.style }
    this.#classes.add(`OT_${role}`)

    this.video = document.createElement('video')
    this.video.className = 'OT_video-element'
    this.video.autoplay = true
    this.video.playsInline = true
    this.video.muted = role === 'publisher'

    this.#mute.type = 'button'
    this.#mute.append(icon(role === 'publisher' ? MICROPHONE : SPEAKER))
    this.#mute.addEventListener('click', onMuteClick)
    this.setMuted(false)
    this.setName(properties.name ?? '')

    if (properties.insertDefaultUI === false) return
    installStyles()
    whenTargetIsKnown(target, (found) => this.#place(found))
  }

  /** @param {HTMLElement | null} target */
  #place(target) {
    if (this.#destroyed) return
    const { id, properties, onPlaced } = this.#options
    const root = insertRoot(target, properties.insertMode, id)
    this.element = root
    root.classList.add(...this.#classes)
    const width = cssLength(properties.width)
    const height = cssLength(properties.height)
    if (width) root.style.width = width
    if (height) root.style.height = height

    const container = element('div', 'OT_widget-container', 'OT_video-container')
    container.append(this.video, this.#poster, element('div', 'OT_video-loading'))
    root.append(container)
    if (properties.showControls !== false) root.append(...this.#chrome())
    this.setStyle(this.#style)

    this.#sizes = new ResizeObserver(() => {
      this.#toggle('OT_mini', root.clientWidth < MINI_PX)
      this.#toggle('OT_micro', root.clientWidth < MICRO_PX)
    })
    this.#sizes.observe(root)
    onPlaced(root)
  }

  #chrome() {
    this.#meter.append(this.#level)
    const box = element('div', 'OT_archiving-light-box')
    box.append(element('div', 'OT_archiving-light'))
    this.#archiving.append(box, this.#archivingText)
    this.#archiving.setAttribute('role', 'status')
    return [this.#name, this.#mute, this.#meter, this.#archiving]
  }

  /** @param {string} name */
  setName(name) {
    this.#name.textContent = name
    this.#name.hidden = name === ''
  }

  /** @param {boolean} loading */
  setLoading(loading) {
    this.#toggle('OT_loading', loading)
  }

  /** @param {boolean} audioOnly whether the poster is shown in place of the video */
  setAudioOnly(audioOnly) {
    this.#toggle('OT_audio-only', audioOnly)
  }

  /** @param {boolean} mirrored */
  setMirrored(mirrored) {
    this.#toggle('OT_mirrored', mirrored)
  }

  /** @param {'cover' | 'contain'} fit */
  setFit(fit) {
    this.#toggle('OT_fit-mode-cover', fit === 'cover')
    this.#toggle('OT_fit-mode-contain', fit === 'contain')
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    const publisher = this.#options.role === 'publisher'
    this.#mute.classList.toggle('OT_active', muted)
    const label = publisher
      ? muted
        ? 'Unmute microphone'
        : 'Mute microphone'
      : muted
        ? 'Turn sound on'
        : 'Turn sound off'
    this.#mute.setAttribute('aria-label', label)
    this.#mute.title = label
  }

  /** @param {number} level from 0 to 1 */
  setLevel(level) {
    // Loudness is heard by its logarithm: a meter of plain amplitudes would hardly move.
    const shown = level > 0 ? Math.min(Math.max(1 + Math.log10(level) / 2, 0), 1) : 0
    this.#level.style.transform = `scaleY(${shown.toFixed(2)})`
  }

  /** Whether anybody can see the meter. */
  get showsLevel() {
    return (
      this.element !== null &&
      this.#options.properties.showControls !== false &&
      this.#style.audioLevelDisplayMode !== 'off' &&
      (this.#style.audioLevelDisplayMode === 'on' || this.#classes.has('OT_audio-only'))
    )
  }

  /** @param {boolean | null} on null: nothing has been archived yet */
  setArchiving(on) {
    clearTimeout(this.#archivingTimer)
    this.#archiving.classList.toggle('OT_archiving-on', on === true)
    this.#archiving.classList.toggle('OT_archiving-off', on === false)
    this.#archiving.classList.toggle('OT_visible', on !== null)
    this.#archivingText.textContent = on === null ? '' : on ? 'Archiving on' : 'Archiving off'
    if (on !== false) return
    this.#archivingTimer = setTimeout(() => this.setArchiving(null), ARCHIVING_OFF_MS)
  }

  /** @returns {Style} */
  getStyle() {
    return { ...this.#style }
  }

  /** @param {Style} style what is absent stays as it was */
  setStyle(style) {
    Object.assign(this.#style, style)
    const modes = this.#style
    setMode(this.#name, modes.nameDisplayMode)
    setMode(this.#mute, modes.buttonDisplayMode)
    setMode(this.#meter, modes.audioLevelDisplayMode)
    this.#archiving.classList.toggle('OT_mode-off', modes.archiveStatusDisplayMode === 'off')
    const image = modes.backgroundImageURI
    this.#poster.toggleAttribute('data-image', !!image)
    this.#poster.style.backgroundImage = image ? `url(${JSON.stringify(image)})` : ''
  }

  /** @returns {string | null} the picture shown now, as base64 PNG; null: there is none */
  picture() {
    const { videoWidth, videoHeight } = this.video
    if (!videoWidth || !videoHeight) return null
    const canvas = document.createElement('canvas')
    canvas.width = videoWidth
    canvas.height = videoHeight
    canvas.getContext('2d')?.drawImage(this.video, 0, 0)
    return canvas.toDataURL('image/png').replace('data:image/png;base64,', '')
  }

  destroy() {
    this.#destroyed = true
    clearTimeout(this.#archivingTimer)
    this.#sizes?.disconnect()
    this.video.srcObject = null
    this.video.remove()
    this.element?.remove()
    this.element = null
  }

  /**
   * @param {string} name
   * @param {boolean} on
   */
  #toggle(name, on) {
    if (on) this.#classes.add(name)
    else this.#classes.delete(name)
    this.element?.classList.toggle(name, on)
  }
}

/**
 * @param {string} tag
 * @param {...string} classes
 */
function element(tag, ...classes) {
  const made = document.createElement(tag)
  made.classList.add(...classes)
  return made
}

/**
 * @param {HTMLElement} part
 * @param {DisplayMode} [mode]
 */
function setMode(part, mode = 'auto') {
  for (const each of ['auto', 'on', 'off']) {
    part.classList.toggle(`OT_mode-${each}`, each === mode)
  }
}

/** @param {string} outline */
function icon(outline) {
  const space = 'http://www.w3.org/2000/svg'
  const svg = document.createElementNS(space, 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('fill', 'currentColor')
  svg.setAttribute('aria-hidden', 'true')
  for (const [name, d] of Object.entries({ '': outline, 'OT_mute-slash': SLASH })) {
    const path = document.createElementNS(space, 'path')
    path.setAttribute('d', d)
    if (name) path.setAttribute('class', name)
    svg.append(path)
  }
  return svg
}
