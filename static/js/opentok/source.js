/**
 * @file Where one medium of a publisher comes from: a device or a screen that the publisher opens and closes itself, or
 * a track that the page gives.
 */

import {
  audioConstraints,
  captureDevices,
  captureScreen,
  isScreen,
  isTrack,
  refusal,
  videoConstraints,
} from './capture.js'

/** @import { Kind } from './messages.js' */

export class Source {
  /** @type {MediaStreamTrack | null} null: not open */
  track = null
  /** Whether the publisher has this medium at all. */
  exists
  /** Whether the publisher stops the track when it does not need it. */
  owned = true

  #kind
  #properties
  #ended

  /**
   * @param {Kind} kind
   * @param {Record<string, any>} properties the publisher's; `ownsTracks`: the publisher stops the tracks it is given
   * @param {(track: MediaStreamTrack) => void} ended called when a track ends by itself
   */
  constructor(kind, properties, ended) {
    this.#kind = kind
    this.#properties = properties
    this.#ended = ended
    const given = this.#given
    this.exists = given !== null && given !== false
    if (isTrack(given)) this.use(given, properties.ownsTracks === true)
  }

  get #given() {
    const { audioSource, videoSource } = this.#properties
    if (this.#kind === 'video') return videoSource
    // The microphone belongs to the camera's stream; with a screen it has to be asked for.
    return isScreen(videoSource) ? (audioSource ?? null) : audioSource
  }

  get #name() {
    return this.#kind === 'audio' ? 'audioSource' : 'videoSource'
  }

  get isScreen() {
    if (this.#kind === 'audio') return false
    return isScreen(this.#given) || 'displaySurface' in (this.track?.getSettings() ?? {})
  }

  /** Whether the track comes from the page and not from a camera. */
  get isCustom() {
    return isTrack(this.#given) && !this.owned
  }

  get isOpen() {
    return this.track !== null && this.track.readyState !== 'ended'
  }

  /** @returns {MediaTrackConstraints} */
  get constraints() {
    return this.#kind === 'audio'
      ? audioConstraints(this.#properties)
      : videoConstraints(this.#properties)
  }

  /**
   * Takes a track into use; the former one is released.
   *
   * @param {MediaStreamTrack} track
   * @param {boolean} owned
   */
  use(track, owned) {
    if (this.track === track) return
    const { deviceId } = track.getSettings()
    this.release()
    this.track = track
    this.owned = owned
    this.exists = true
    // Opened again, it should be the same device.
    if (owned && deviceId && !this.isScreen) this.#properties[this.#name] = deviceId
    track.addEventListener('ended', () => {
      if (this.track === track) this.#ended(track)
    })
  }

  /**
   * Changes to another device or track.
   *
   * @param {any} given a device's id, a track, or null: none
   * @param {boolean} open false: only remember it
   */
  async change(given, open) {
    if (isTrack(given)) {
      this.use(given, false)
      return
    }
    const before = { ...this.#properties }
    const device = typeof given === 'string' ? given : undefined
    this.#properties[this.#name] = device
    if (this.#kind === 'video') this.#properties.facingMode = undefined
    // Phones open one camera at a time, so the old one is closed first.
    this.release()
    if (!open || given === null || given === false) return
    try {
      await this.open()
    } catch (error) {
      Object.assign(this.#properties, before)
      await this.open().catch(() => {})
      throw error
    }
  }

  /** Opens the device again. @returns {Promise<MediaStreamTrack>} */
  async open() {
    if (this.track && this.isOpen) return this.track
    const captured = isScreen(this.#given)
      ? await captureScreen(this.constraints, false)
      : await captureDevices({ [this.#kind]: this.constraints })
    const track = captured[this.#kind]
    if (!track) throw refusal({ name: 'NotFoundError' })
    this.use(track, true)
    return track
  }

  /** Closes a device, so that its light goes out. What the page gave, and a screen, stay open. */
  pause() {
    if (this.owned && !this.isScreen) this.release()
  }

  /** Lets go of the track for good. */
  release() {
    const track = this.track
    this.track = null
    if (this.owned) track?.stop()
  }
}

/**
 * Opens what a publisher needs from the start, with one question to the person.
 *
 * @param {{ audio: Source, video: Source }} sources
 * @param {{ audio: boolean, video: boolean }} wanted
 * @param {boolean} screenSound
 */
export async function openTogether({ audio, video }, wanted, screenSound) {
  const needs = {
    audio: wanted.audio && audio.exists && !audio.isOpen,
    video: wanted.video && video.exists && !video.isOpen,
  }
  if (needs.video && video.isScreen) {
    const captured = await captureScreen(video.constraints, screenSound)
    if (captured.video) video.use(captured.video, true)
    if (captured.audio && screenSound) audio.use(captured.audio, true)
    needs.audio &&= !screenSound
    needs.video = false
  }
  if (!needs.audio && !needs.video) return
  const captured = await captureDevices({
    audio: needs.audio ? audio.constraints : null,
    video: needs.video ? video.constraints : null,
  })
  if (captured.audio) audio.use(captured.audio, true)
  if (captured.video) video.use(captured.video, true)
}
