/** @file What keeps a device from working in a call: said for as long as it is so, with what to do about it. */

import { troubleWith } from '../ui/devices.js'
import { byId, find } from '../ui/dom.js'

/** @import { Device, Trouble } from '../ui/devices.js' */

export class DeviceWarnings {
  /** @type {Map<Device, Trouble>} */
  #present = new Map()

  /** @param {(device: Device) => void} retry */
  constructor(retry) {
    const note = byId('trouble', HTMLElement)
    find(note, '[data-do=retry]', HTMLButtonElement).addEventListener('click', () => {
      for (const device of this.#present.keys()) retry(device)
    })
    find(note, '[data-do=close]', HTMLButtonElement).addEventListener('click', () => this.clear())
  }

  /** @param {Device} device @param {unknown} error */
  async add(device, error) {
    this.show(device, await troubleWith(device, error, true))
  }

  /** @param {Device} device @param {Trouble} trouble */
  show(device, trouble) {
    this.#present.set(device, trouble)
    this.#draw()
  }

  /** What works now is no trouble any more. @param {{ mic: boolean, camera: boolean }} state */
  settled(state) {
    for (const device of /** @type {Device[]} */ (['mic', 'camera'])) {
      if (state[device]) this.#present.delete(device)
    }
    this.#draw()
  }

  clear() {
    this.#present.clear()
    this.#draw()
  }

  #draw() {
    const troubles = [...this.#present.values()]
    byId('trouble', HTMLElement).hidden = troubles.length === 0
    const lines = byId('trouble-words', HTMLElement)
    const drawn = JSON.stringify(troubles)
    if (lines.dataset.drawn === drawn) return // said once, not at every change
    lines.dataset.drawn = drawn
    lines.replaceChildren(
      ...troubles.map(({ cause, remedy }) => {
        const line = document.createElement('p')
        const strong = document.createElement('strong')
        strong.textContent = cause
        line.append(strong, ` ${remedy}`)
        return line
      }),
    )
    const retry = find(byId('trouble', HTMLElement), '[data-do=retry]', HTMLButtonElement)
    retry.hidden = troubles.every(({ button }) => button === null)
  }
}
