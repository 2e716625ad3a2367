/** @file What publishers and subscribers have in common: an element, its style, and a meter for the sound. */

import { LevelMeter } from './audio-levels.js'
import { Events, OTEvent } from './events.js'
import { uuid } from './ids.js'
import { Widget } from './widget.js'

/**
 * Something whose loudness can be read.
 *
 * @typedef {object} Ear
 * @property {() => Promise<number | null> | number | null} read from 0 to 1; null: nothing is known at the moment
 * @property {() => void} [close]
 */

export class MediaView extends Events {
  /** Of the root element. */
  id = `OT_${uuid()}`
  /** For the library only. */
  widget

  /** @type {{ meter: LevelMeter, ear: Ear } | null} */
  #metering = null

  /**
   * @param {any} target
   * @param {'publisher' | 'subscriber'} role
   * @param {Record<string, any>} properties
   * @param {() => void} onMuteClick
   */
  constructor(target, role, properties, onMuteClick) {
    super()
    this.widget = new Widget(target, {
      role,
      id: this.id,
      properties,
      onMuteClick,
      onPlaced: (root) => {
        this.id = root.id
      },
    })
  }

  /** The root element; null before it has a place, and without default UI. */
  get element() {
    return this.widget.element
  }

  /** @returns {string | null} the present picture, as base64 PNG */
  getImgData() {
    return this.widget.picture()
  }

  /** @param {any} style or the name of one property @param {any} [value] of that property @returns {this} */
  setStyle(style, value) {
    this.widget.setStyle(typeof style === 'string' ? { [style]: value } : style)
    this.startMeter()
    return this
  }

  getStyle() {
    return this.widget.getStyle()
  }

  videoWidth() {
    return this.widget.video.videoWidth || undefined
  }

  videoHeight() {
    return this.widget.video.videoHeight || undefined
  }

  /**
   * Whoever listens for the level starts its measuring.
   *
   * @param {any} names
   * @param {any} [handler]
   * @param {any} [context]
   * @returns {this}
   */
  on(names, handler, context) {
    super.on(names, handler, context)
    this.startMeter()
    return this
  }

  /** For the library only: what there is to hear now. @returns {Ear | null} */
  ear() {
    return null
  }

  /** For the library only: measures the sound if there is any and somebody is interested. */
  startMeter() {
    if (this.#metering) return
    if (!this.hasHandlers('audioLevelUpdated') && !this.widget.showsLevel) return
    const ear = this.ear()
    if (!ear) return
    const meter = new LevelMeter(ear.read, (audioLevel) => {
      this.widget.setLevel(audioLevel)
      this.emit('audioLevelUpdated', { audioLevel })
    })
    this.#metering = { meter, ear }
  }

  /** For the library only. */
  stopMeter() {
    this.#metering?.meter.stop()
    this.#metering?.ear.close?.()
    this.#metering = null
  }

  /**
   * For the library only.
   *
   * @param {string} type
   * @param {Record<string, unknown>} [fields]
   */
  emit(type, fields) {
    this.dispatchEvent(new OTEvent(type, fields))
  }
}
