/** @file The tiles of a call, and how they share the window. */

import { grid, inset, spotlight } from './arrange.js'
import { copyOf, find, initials, setIcon } from './dom.js'
import { dragToCorner } from './drag-to-corner.js'

/** A speaker keeps the ring through pauses between words. */
const RING_MS = 600

/** Louder than this is speech; 0 to 1 as the library tells it. */
const SPEECH = 0.06

/** One person, or one screen. */
export class Tile {
  element = copyOf('tile-template')
  /** When it last was loud. */
  spokeAt = 0
  isScreen = false
  #name = ''
  #ring = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined)

  /** @param {string} name */
  set name(name) {
    this.#name = name
    find(this.element, '.tile__who span', HTMLElement).textContent = name
    this.element.setAttribute('aria-label', name)
  }

  get name() {
    return this.#name
  }

  /** @param {string} name whose initials stand where there is no picture */
  set initials(name) {
    find(this.element, '.avatar', HTMLElement).textContent = initials(name)
  }

  /** @param {HTMLVideoElement} video */
  set video(video) {
    this.element.querySelector('video')?.remove()
    this.element.prepend(video)
  }

  /** @param {boolean} on */
  set hasVideo(on) {
    this.element.classList.toggle('tile--dark', !on)
  }

  /** @param {boolean} on */
  set hasAudio(on) {
    const sign = find(this.element, '.tile__who', HTMLElement)
    setIcon(sign, on ? 'mic-fill' : 'mic-mute-fill')
    sign.title = on ? '' : 'Muted'
  }

  /** @param {boolean} on */
  set mirrored(on) {
    this.element.classList.toggle('tile--mirrored', on)
  }

  /** @param {boolean} on */
  set screen(on) {
    this.isScreen = on
    this.element.classList.toggle('tile--screen', on)
    if (on) setIcon(find(this.element, '.tile__who', HTMLElement), 'window-stack')
  }

  /**
   * @param {number} bars 0 to 4
   * @param {string} words
   */
  quality(bars, words) {
    const sign = find(this.element, '.tile__quality', HTMLElement)
    sign.hidden = false
    sign.title = words
    sign.setAttribute('role', 'img')
    sign.setAttribute('aria-label', words)
    setIcon(sign, `reception-${bars}`)
  }

  /**
   * @param {number} level 0 to 1
   * @returns {boolean} whether it is speech
   */
  heard(level) {
    if (level < SPEECH) return false
    this.spokeAt = performance.now()
    this.element.classList.add('tile--speaking')
    clearTimeout(this.#ring)
    this.#ring = setTimeout(() => this.element.classList.remove('tile--speaking'), RING_MS)
    return true
  }

  /**
   * Gives the host a menu on the tile.
   *
   * @param {{ mute: () => void, remove: () => void }} actions
   */
  moderate(actions) {
    const menu = find(this.element, '.tile__menu', HTMLDetailsElement)
    menu.hidden = false
    find(menu, 'summary', HTMLElement).setAttribute('aria-label', `Moderate ${this.#name}`)
    menu.addEventListener('click', (event) => {
      const button = event.target instanceof Element ? event.target.closest('button') : null
      if (!button) return
      menu.open = false
      if (button.dataset.do === 'mute') actions.mute()
      if (button.dataset.do === 'remove') actions.remove()
    })
  }
}

/** Tiles in a container, always filling it. */
export class Tiles {
  #container
  /** @type {Tile[]} */
  #tiles = []
  #spotlight = false
  /** @type {Tile | null} */
  #inset = null
  #corner = { left: false, top: false }
  #sizes
  #gap

  /**
   * @param {HTMLElement} container
   * @param {number} [gap] px
   */
  constructor(container, gap = 10) {
    this.#container = container
    this.#gap = gap
    this.#sizes = new ResizeObserver(() => this.arrange())
    this.#sizes.observe(container)
  }

  close() {
    this.#sizes.disconnect()
    this.#tiles = []
    this.#container.replaceChildren()
  }

  get all() {
    return this.#tiles
  }

  /** @param {Tile} tile @param {Tile} [before] the last place, if it is not here */
  add(tile, before) {
    if (this.#tiles.includes(tile)) return
    const at = before ? this.#tiles.indexOf(before) : -1
    if (at === -1) {
      this.#tiles.push(tile)
      this.#container.append(tile.element)
    } else {
      this.#tiles.splice(at, 0, tile)
      this.#container.insertBefore(tile.element, before?.element ?? null)
    }
    this.arrange()
  }

  /** @param {Tile} tile */
  remove(tile) {
    this.#tiles = this.#tiles.filter((other) => other !== tile)
    tile.element.remove()
    this.arrange()
  }

  get spotlight() {
    return this.#spotlight
  }

  /** Whoever speaks is large, or all are alike. A screen is always large. */
  set spotlight(on) {
    this.#spotlight = on
    this.arrange()
  }

  /** In a call of two this one lies small upon the other, in a corner to which it can be moved. */
  set inset(/** @type {Tile} */ tile) {
    this.#inset = tile
    dragToCorner(tile.element, this.#container, (corner) => {
      this.#corner = corner ?? nextCorner(this.#corner)
      this.arrange()
    })
  }

  arrange() {
    const area = { width: this.#container.clientWidth, height: this.#container.clientHeight }
    if (area.width === 0 || area.height === 0) return
    const boxes = this.#boxes(area)
    for (const [index, tile] of this.#tiles.entries()) {
      const box = boxes[index]
      if (!box) continue
      const { style } = tile.element
      style.left = `${box.x}px`
      style.top = `${box.y}px`
      style.width = `${box.width}px`
      style.height = `${box.height}px`
    }
  }

  /** @param {{ width: number, height: number }} area */
  #boxes(area) {
    const large = this.#large()
    const count = this.#tiles.length
    const small = this.#inset && large === -1 && count === 2 ? this.#tiles.indexOf(this.#inset) : -1
    this.#inset?.element.classList.toggle('tile--inset', small !== -1)
    if (small !== -1) return inset(small, this.#corner, area)
    return large === -1 ? grid(count, area, this.#gap) : spotlight(count, large, area, this.#gap)
  }

  /** The index of the tile to show large; −1: none. */
  #large() {
    const screen = this.#tiles.findLastIndex((tile) => tile.isScreen)
    if (screen !== -1) return screen
    if (!this.#spotlight || this.#tiles.length < 2) return -1
    let large = 0
    for (const [index, tile] of this.#tiles.entries()) {
      if (tile.spokeAt > (this.#tiles[large]?.spokeAt ?? 0)) large = index
    }
    return large
  }
}

/** Around the window: a click is enough to have the inset out of the way. @param {{ left: boolean, top: boolean }} corner */
function nextCorner({ left, top }) {
  return { left: top, top: !left }
}
