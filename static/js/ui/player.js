/**
 * @file Plays all streams of an archive together: one clock, which each file follows.
 *
 * Files begin and end at different times and drift apart a little. Every file's own time is compared with the clock:
 * a small difference is made good by playing a little faster or slower, a large one by seeking.
 */

import { Tile, Tiles } from './tiles.js'

/** @import { PlayedStream } from './boot.js' */

/** Below this difference ears and eyes notice nothing. s */
const FINE = 0.045

/** From this difference on catching up would take too long. s */
const FAR = 0.4

/** Landing elsewhere than asked, a seek is not repeated at once: it would never end. ms */
const SEEK_PAUSE_MS = 1000

/** Everybody waits this long for a file that has to load; then the others go on without it. ms */
const PATIENCE_MS = 6000

/** A file that is about to be needed is loaded this long before. ms */
const AHEAD_MS = 5000

/** Whoever appears this early was there from the beginning: joining takes a moment. ms */
const FROM_THE_START_MS = 3000

/**
 * @typedef {object} Part
 * @property {PlayedStream} stream
 * @property {Tile} tile
 * @property {HTMLVideoElement | null} video
 * @property {boolean} here whether its tile is shown
 * @property {number} soughtAt when its file was last sent elsewhere, as `performance.now()` says
 * @property {number | null} behindSince null: it keeps up
 */

export class Player extends EventTarget {
  #durationMs
  /** @type {Part[]} */
  #parts
  #tiles
  #positionMs = 0
  #playing = false
  #waiting = false
  #rate = 1
  #volume = 1
  #muted = false
  /** @type {number} */
  #before = 0
  #frame = 0

  /**
   * @param {HTMLElement} container
   * @param {number} durationMs
   * @param {PlayedStream[]} streams
   */
  constructor(container, durationMs, streams) {
    super()
    this.#durationMs = durationMs
    this.#tiles = new Tiles(container, 8)
    this.#parts = streams.map((stream) => partOf(stream))
    this.#show()
  }

  get positionMs() {
    return this.#positionMs
  }

  get durationMs() {
    return this.#durationMs
  }

  get isPlaying() {
    return this.#playing
  }

  /** Whether it would play, but has to load first. */
  get isWaiting() {
    return this.#waiting
  }

  /** How many are in the picture now. */
  get present() {
    return this.#tiles.all.length
  }

  play() {
    if (this.#playing) return
    if (this.#positionMs >= this.#durationMs - 50) this.#positionMs = 0
    this.#playing = true
    this.#before = performance.now()
    this.#frame = requestAnimationFrame((now) => this.#tick(now))
    this.#emit('change')
  }

  pause() {
    if (!this.#playing) return
    this.#playing = false
    this.#waiting = false
    cancelAnimationFrame(this.#frame)
    for (const { video } of this.#parts) video?.pause()
    this.#emit('change')
  }

  /** @param {number} ms */
  seek(ms) {
    this.#positionMs = Math.min(Math.max(0, ms), this.#durationMs)
    this.#show()
    for (const part of this.#parts) {
      if (part.video && runs(part.stream, this.#positionMs)) this.#send(part)
    }
    this.#emit('time')
  }

  /** @param {number} rate 1: as it was */
  set rate(rate) {
    this.#rate = rate
    for (const { video } of this.#parts) if (video) video.playbackRate = rate
    this.#emit('change')
  }

  get rate() {
    return this.#rate
  }

  /** @param {number} volume 0 to 1 */
  set volume(volume) {
    this.#volume = volume
    for (const { video } of this.#parts) if (video) video.volume = volume
    this.#emit('change')
  }

  get volume() {
    return this.#volume
  }

  /** @param {boolean} muted */
  set muted(muted) {
    this.#muted = muted
    for (const { video } of this.#parts) if (video) video.muted = muted
    this.#emit('change')
  }

  get muted() {
    return this.#muted
  }

  /** @param {number} now */
  #tick(now) {
    if (!this.#playing) return
    const passed = Math.min(now - this.#before, 500) // a tab in the background is not called for a while
    this.#before = now
    const waiting = this.#parts.filter((part) => this.#isAwaited(part, now)).length > 0
    if (waiting !== this.#waiting) {
      this.#waiting = waiting
      this.#emit('change')
    }
    if (!waiting) this.#positionMs += passed * this.#rate
    if (this.#positionMs >= this.#durationMs) {
      this.#positionMs = this.#durationMs
      this.#show()
      this.#emit('time')
      this.pause()
      return
    }
    this.#show()
    this.#emit('time')
    this.#frame = requestAnimationFrame((next) => this.#tick(next))
  }

  /**
   * Whether everybody has to wait for this file.
   *
   * @param {Part} part
   * @param {number} now
   */
  #isAwaited(part, now) {
    if (!this.#isBehind(part)) {
      part.behindSince = null
      return false
    }
    part.behindSince ??= now
    return now - part.behindSince < PATIENCE_MS
  }

  /** Sends a file to where the clock is. @param {Part} part */
  #send(part) {
    if (!part.video) return
    part.soughtAt = performance.now()
    part.video.currentTime = fileTime(part.stream, this.#positionMs)
  }

  /** @param {Part} part */
  #isBehind({ stream, video }) {
    if (!video || video.error || !runs(stream, this.#positionMs)) return false
    if (video.ended) return false
    return video.seeking || video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA
  }

  /** Shows what there is at the present position, and keeps each file with the clock. */
  #show() {
    const at = this.#moment()
    for (const part of this.#parts) {
      const { stream, tile } = part
      const here = isWithin(stream.present, at)
      if (here !== part.here) {
        part.here = here
        if (here) this.#tiles.add(tile)
        else this.#tiles.remove(tile)
      }
      tile.hasVideo = here && stream.url !== null && isWithin(stream.shown, at)
      this.#follow(part)
    }
  }

  /**
   * The archive's time that is shown. Before it plays that is when all have appeared who were there from
   * the beginning; at the very end the last picture stays.
   */
  #moment() {
    const hasBegun = this.#playing || this.#positionMs > 0
    const early = this.#parts
      .map(({ stream }) => stream.shown[0]?.fromMs ?? stream.joinedMs)
      .filter((fromMs) => fromMs <= FROM_THE_START_MS)
    const at = hasBegun ? this.#positionMs : Math.max(0, ...early)
    return Math.min(at, this.#durationMs - 1)
  }

  /** @param {Part} part */
  #follow(part) {
    const { stream } = part
    const at = this.#positionMs
    if (
      stream.url !== null &&
      !part.video &&
      at > stream.startsMs - AHEAD_MS &&
      at < stream.endsMs
    ) {
      part.video = this.#open(part)
    }
    const { video } = part
    if (!video || video.error) return
    if (!runs(stream, at)) {
      if (!video.paused) video.pause()
      return
    }
    const off = video.currentTime - fileTime(stream, at)
    if (!video.seeking && Math.abs(off) > FAR && video.readyState > 0) {
      if (performance.now() - part.soughtAt > SEEK_PAUSE_MS) this.#send(part)
    } else if (this.#playing) {
      const correction = Math.abs(off) < FINE ? 0 : Math.max(-0.08, Math.min(0.08, -off / 2))
      const rate = this.#rate * (1 + correction)
      if (Math.abs(video.playbackRate - rate) > 0.005) video.playbackRate = rate
    }
    const plays = this.#playing && !this.#waiting
    if (plays && video.paused && !video.ended) video.play().catch(() => {})
    else if (!plays && !video.paused) video.pause()
  }

  /** @param {Part} part */
  #open({ stream, tile }) {
    const video = document.createElement('video')
    video.playsInline = true
    video.preload = 'auto'
    video.src = stream.url ?? ''
    video.volume = this.#volume
    video.muted = this.#muted
    video.addEventListener(
      'loadedmetadata',
      () => {
        if (runs(stream, this.#positionMs)) video.currentTime = fileTime(stream, this.#positionMs)
      },
      { once: true },
    )
    video.addEventListener('error', () => this.#emit('trouble'))
    tile.video = video
    return video
  }

  /** @param {'change' | 'time' | 'trouble'} type */
  #emit(type) {
    this.dispatchEvent(new CustomEvent(type))
  }
}

/** @param {PlayedStream} stream @returns {Part} */
function partOf(stream) {
  const tile = new Tile()
  const isScreen = stream.videoType === 'screen'
  tile.name = stream.name
  tile.initials = stream.name
  tile.hasVideo = false
  tile.hasAudio = stream.hasAudio
  if (isScreen) tile.screen = true
  return { stream, tile, video: null, here: false, soughtAt: 0, behindSince: null }
}

/** @param {{ fromMs: number, toMs: number }[]} spans @param {number} at ms */
function isWithin(spans, at) {
  return spans.some((span) => at >= span.fromMs && at < span.toMs)
}

/** Whether the file has something at this time. @param {PlayedStream} stream @param {number} at ms */
function runs(stream, at) {
  return at >= stream.startsMs && at < stream.endsMs
}

/** @param {PlayedStream} stream @param {number} at ms @returns {number} s */
function fileTime(stream, at) {
  return Math.max(0, at - stream.startsMs) / 1000
}
