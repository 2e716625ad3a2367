/** @file What devices there are, and what the browser can do with them. */

import { captureDevices, captureScreen, isScreen } from './capture.js'
import { answering, OpenTokError } from './errors.js'
import { getOutput, setOutput } from './playback.js'
import { Source } from './source.js'

/** @typedef {{ kind: 'audioInput' | 'videoInput', deviceId: string, label: string }} Device */

/**
 * @param {(error?: OpenTokError, devices?: Device[]) => void} [callback]
 * @returns {Promise<Device[]>} labels are empty until the person has given access
 */
export function getDevices(callback) {
  const list = async () => {
    /** @type {Device[]} */
    const devices = []
    for (const { kind, deviceId, label } of await all()) {
      if (kind === 'audioinput') devices.push({ kind: 'audioInput', deviceId, label })
      if (kind === 'videoinput') devices.push({ kind: 'videoInput', deviceId, label })
    }
    return devices
  }
  return answering(list(), callback)
}

/** @returns {Promise<{ deviceId: string, label: string }[]>} */
export async function getAudioOutputDevices() {
  const devices = await all()
  return devices
    .filter(({ kind }) => kind === 'audiooutput')
    .map(({ deviceId, label }) => ({ deviceId, label }))
}

export async function getActiveAudioOutputDevice() {
  const devices = await getAudioOutputDevices()
  const deviceId = getOutput()
  const active = devices.find((device) => device.deviceId === (deviceId || 'default'))
  return active ?? { deviceId, label: '' }
}

/** @param {string} deviceId @returns {Promise<void>} */
export async function setAudioOutputDevice(deviceId) {
  if (!('setSinkId' in HTMLMediaElement.prototype)) {
    throw new OpenTokError(2000, 'OT_NOT_SUPPORTED', 'This browser cannot choose the audio output.')
  }
  try {
    await setOutput(deviceId)
  } catch (/** @type {any} */ error) {
    throw new OpenTokError(1011, 'OT_INVALID_AUDIO_OUTPUT_SOURCE', String(error?.message ?? error))
  }
}

/**
 * Opens what a publisher with these properties would open.
 *
 * @param {Record<string, any>} [properties]
 * @returns {Promise<MediaStream>}
 */
export async function getUserMedia(properties = {}) {
  const audio = new Source('audio', properties, () => {})
  const video = new Source('video', properties, () => {})
  const captured = isScreen(properties.videoSource)
    ? await captureScreen(video.constraints, false)
    : await captureDevices({
        audio: audio.exists ? audio.constraints : null,
        video: video.exists ? video.constraints : null,
      })
  return new MediaStream([captured.audio, captured.video].filter((track) => track !== null))
}

/** @param {(support: Record<string, unknown>) => void} callback */
export function checkScreenSharingCapability(callback) {
  const supported = typeof navigator.mediaDevices?.getDisplayMedia === 'function'
  const sources = { application: supported, screen: supported, window: supported }
  queueMicrotask(() =>
    callback({
      supported,
      supportedSources: sources,
      extensionRequired: undefined,
      extensionRegistered: undefined,
      extensionInstalled: undefined,
    }),
  )
}

/** @returns {Promise<{ videoEncoders: string[], videoDecoders: string[], audioEncoders: string[], audioDecoders: string[] }>} */
export async function getSupportedCodecs() {
  const audio = ['opus'].filter(() => supportsWebRtc())
  const video = ['VP8'].filter(() => supportsWebRtc())
  return {
    videoEncoders: video,
    videoDecoders: video,
    audioEncoders: audio,
    audioDecoders: audio,
  }
}

export function supportsWebRtc() {
  return typeof RTCPeerConnection === 'function' && typeof WebSocket === 'function'
}

async function all() {
  const devices = navigator.mediaDevices
  if (!devices?.enumerateDevices) {
    throw new OpenTokError(1500, 'OT_UNSUPPORTED_BROWSER', 'This browser does not list devices.')
  }
  return devices.enumerateDevices()
}
