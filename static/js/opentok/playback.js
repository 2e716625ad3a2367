/**
 * @file Sound that the browser blocks until the person has done something on the page, and where sound goes.
 *
 * A blocked element plays on without sound, so that the picture is there; the first click or key brings the sound.
 */

/** @typedef {{ video: HTMLVideoElement, unblocked: () => void }} Blocked */

/** Those which wait for a gesture. @type {Map<HTMLVideoElement, Blocked>} */
const blocked = new Map()
/** All that play sound. @type {Set<HTMLVideoElement>} */
const playing = new Set()

/** The chosen output; '' is the system's. */
let outputId = ''

const GESTURES = ['click', 'keydown', 'touchend']

/**
 * Plays received media.
 *
 * @param {HTMLVideoElement} video
 * @param {{ blocked: () => void, unblocked: () => void }} handlers
 */
export async function play(video, handlers) {
  playing.add(video)
  if (outputId) setSink(video, outputId).catch(() => {})
  try {
    await video.play()
  } catch (/** @type {any} */ error) {
    if (error?.name !== 'NotAllowedError' || video.muted) return
    video.muted = true
    if (blocked.size === 0) waitForGesture(true)
    blocked.set(video, { video, unblocked: handlers.unblocked })
    handlers.blocked()
    video.play().catch(() => {})
  }
}

/** @param {HTMLVideoElement} video */
export function stopPlaying(video) {
  playing.delete(video)
  blocked.delete(video)
  if (blocked.size === 0) waitForGesture(false)
}

/** @param {HTMLVideoElement} video */
export function isBlocked(video) {
  return blocked.has(video)
}

/** Brings the sound; works only inside a click, a key press or the like. @returns {Promise<void>} */
export async function unblockAudio() {
  await Promise.all(
    [...blocked.values()].map(async ({ video, unblocked }) => {
      video.muted = false
      try {
        await video.play()
      } catch (error) {
        video.muted = true
        video.play().catch(() => {})
        throw error
      }
      blocked.delete(video)
      unblocked()
    }),
  )
  if (blocked.size === 0) waitForGesture(false)
}

/** @param {string} deviceId of an audio output; '' is the system's */
export async function setOutput(deviceId) {
  await Promise.all([...playing].map((video) => setSink(video, deviceId)))
  outputId = deviceId
}

export function getOutput() {
  return outputId
}

/**
 * @param {HTMLVideoElement} video
 * @param {string} deviceId
 */
async function setSink(video, deviceId) {
  await /** @type {any} */ (video).setSinkId?.(deviceId)
}

/** @param {boolean} wait */
function waitForGesture(wait) {
  for (const gesture of GESTURES) {
    if (wait) document.addEventListener(gesture, tryAgain, true)
    else document.removeEventListener(gesture, tryAgain, true)
  }
}

function tryAgain() {
  unblockAudio().catch(() => {})
}
