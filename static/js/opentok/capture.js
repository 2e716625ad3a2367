/** @file Cameras, microphones and screens: how they are asked for, and why they were not given. */

import { cameraEncodings, screenEncodings } from './encodings.js'
import { OpenTokError } from './errors.js'

/** Sources that the browser lets the person choose among what is on the screen. */
const SCREENS = ['screen', 'window', 'application', 'browser']

/** @param {unknown} source a publisher's `videoSource` */
export function isScreen(source) {
  return typeof source === 'string' && SCREENS.includes(source)
}

/** @param {unknown} value @returns {value is MediaStreamTrack} */
export function isTrack(value) {
  return typeof value === 'object' && value !== null && 'kind' in value && 'enabled' in value
}

/**
 * @param {unknown} resolution "1280x720"
 * @returns {{ width: number, height: number }} 640x480 if it does not say
 */
export function parseResolution(resolution) {
  const [, width, height] = /^(\d{2,4})x(\d{2,4})$/.exec(String(resolution)) ?? []
  return { width: Number(width ?? 640), height: Number(height ?? 480) }
}

/**
 * @param {Record<string, any>} properties a publisher's
 * @returns {MediaTrackConstraints}
 */
export function videoConstraints(properties) {
  const { videoSource, resolution, maxResolution, frameRate, facingMode } = properties
  if (isScreen(videoSource)) return { frameRate: { ideal: Number(frameRate) || 15 } }
  const { width, height } = parseResolution(resolution)
  return {
    ...(typeof videoSource === 'string' && { deviceId: { exact: videoSource } }),
    width: { ideal: width, ...(maxResolution && { max: Number(maxResolution.width) }) },
    height: { ideal: height, ...(maxResolution && { max: Number(maxResolution.height) }) },
    frameRate: { ideal: Number(frameRate) || 30 },
    ...(facingMode && { facingMode }),
  }
}

/**
 * @param {Record<string, any>} properties a publisher's
 * @returns {MediaTrackConstraints}
 */
export function audioConstraints(properties) {
  const processing = !properties.disableAudioProcessing
  return {
    ...(typeof properties.audioSource === 'string' && {
      deviceId: { exact: properties.audioSource },
    }),
    echoCancellation: properties.echoCancellation ?? processing,
    noiseSuppression: properties.noiseSuppression ?? processing,
    autoGainControl: properties.autoGainControl ?? processing,
  }
}

/**
 * @param {boolean} screen
 * @param {MediaStreamTrack | null} track null: not captured yet
 * @param {Record<string, any>} properties a publisher's
 */
export function videoEncodings(screen, track, properties) {
  if (screen) return screenEncodings()
  const asked = parseResolution(properties.resolution)
  const { width = asked.width, height = asked.height } = track?.getSettings() ?? {}
  return cameraEncodings(Math.min(width, height)) // upright or not: the shorter side decides
}

/** @typedef {{ audio: MediaStreamTrack | null, video: MediaStreamTrack | null }} Captured */

/**
 * Asks for a microphone, a camera, or both with one question. A kind of which there is no device is left out.
 *
 * @param {{ audio?: MediaTrackConstraints | null, video?: MediaTrackConstraints | null }} wanted
 * @returns {Promise<Captured>} rejected with an {@link OpenTokError} (1500)
 */
export async function captureDevices({ audio, video }) {
  const devices = navigator.mediaDevices
  if (!devices?.getUserMedia) throw unsupported()
  const present = await presentKinds()
  const wanted = { audio: present.audio && audio, video: present.video && video }
  if (!wanted.audio && !wanted.video) throw refusal({ name: 'NotFoundError' })
  try {
    return split(
      await devices.getUserMedia({ audio: wanted.audio || false, video: wanted.video || false }),
    )
  } catch (/** @type {any} */ error) {
    if (error?.name !== 'OverconstrainedError') throw refusal(error)
  }
  // A remembered device may be gone, a size unknown to the camera: any will do.
  try {
    return split(await devices.getUserMedia({ audio: !!wanted.audio, video: !!wanted.video }))
  } catch (error) {
    throw refusal(error)
  }
}

/**
 * Lets the person choose a screen, a window or a tab.
 *
 * @param {MediaTrackConstraints} video
 * @param {boolean} audio whether its sound is wanted too; not every browser and screen has it
 * @returns {Promise<Captured>}
 */
export async function captureScreen(video, audio) {
  if (!navigator.mediaDevices?.getDisplayMedia) throw unsupported()
  try {
    return split(await navigator.mediaDevices.getDisplayMedia({ video, audio }))
  } catch (error) {
    throw refusal(error)
  }
}

async function presentKinds() {
  try {
    const devices = await navigator.mediaDevices.enumerateDevices()
    return {
      audio: devices.some(({ kind }) => kind === 'audioinput'),
      video: devices.some(({ kind }) => kind === 'videoinput'),
    }
  } catch {
    return { audio: true, video: true }
  }
}

/** @param {MediaStream} stream @returns {Captured} */
function split(stream) {
  return { audio: stream.getAudioTracks()[0] ?? null, video: stream.getVideoTracks()[0] ?? null }
}

/** What the browser's errors mean, by name. @type {Record<string, [string, string]>} */
const REFUSALS = {
  NotAllowedError: [
    'OT_USER_MEDIA_ACCESS_DENIED',
    'Access to the camera or microphone was denied.',
  ],
  SecurityError: ['OT_USER_MEDIA_ACCESS_DENIED', 'This page may not use the camera or microphone.'],
  NotFoundError: ['OT_NO_DEVICES_FOUND', 'No camera or microphone was found.'],
  NotReadableError: [
    'OT_HARDWARE_UNAVAILABLE',
    "Couldn't read the camera or microphone; another program may be using it.",
  ],
  AbortError: ['OT_HARDWARE_UNAVAILABLE', 'The camera or microphone stopped unexpectedly.'],
  OverconstrainedError: [
    'OT_CONSTRAINTS_NOT_SATISFIED',
    'No camera or microphone meets the constraints.',
  ],
  TypeError: ['OT_NO_VALID_CONSTRAINTS', 'Neither audio nor video was requested.'],
}

/**
 * Why there is no media, as a page is told.
 *
 * @param {any} error as `getUserMedia` threw it
 * @returns {OpenTokError}
 */
export function refusal(error) {
  if (error instanceof OpenTokError) return error
  const [name, message] = REFUSALS[error?.name] ?? ['OT_USER_MEDIA_ACCESS_DENIED', String(error)]
  return new OpenTokError(1500, name, message)
}

function unsupported() {
  const secure = globalThis.isSecureContext !== false
  return new OpenTokError(
    1500,
    'OT_UNSUPPORTED_BROWSER',
    secure
      ? "This browser doesn't give access to cameras, microphones or screens."
      : 'Browsers allow the camera and microphone only on secure (https) pages.',
  )
}
