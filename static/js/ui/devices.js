/** @file Cameras and microphones: opening them, naming them, and saying why it did not work. */

/** @typedef {'mic' | 'camera'} Device */

/**
 * What keeps somebody from being seen or heard, and what to do about it.
 *
 * @typedef {object} Trouble
 * @property {string} cause
 * @property {string} remedy
 * @property {string | null} button null: trying again cannot help
 */

/** Browsers hide devices from pages that do not come over TLS, this machine's own excepted. */
export function isInsecure() {
  return !window.isSecureContext
}

/**
 * @param {Device} device
 * @param {string | undefined} id as remembered; any other will do when it is gone
 * @returns {Promise<MediaStreamTrack>}
 */
export async function openDevice(device, id) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new DOMException(
      'No access to devices',
      isInsecure() ? 'InsecureOrigin' : 'NotSupportedError',
    )
  }
  const constraints = (/** @type {boolean} */ exact) =>
    device === 'mic'
      ? {
          audio: {
            ...chosen(id, exact),
            echoCancellation: true,
            noiseSuppression: true,
            autoGainControl: true,
          },
        }
      : {
          video: {
            ...chosen(id, exact),
            width: { ideal: 1280 },
            height: { ideal: 720 },
            frameRate: { ideal: 30 },
          },
        }
  try {
    return first(await navigator.mediaDevices.getUserMedia(constraints(true)))
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'OverconstrainedError') throw error
    return first(await navigator.mediaDevices.getUserMedia(constraints(false)))
  }
}

/** @param {string | undefined} id @param {boolean} exact */
function chosen(id, exact) {
  return id && exact ? { deviceId: { exact: id } } : {}
}

/** @param {MediaStream} stream @returns {MediaStreamTrack} */
function first(stream) {
  const track = stream.getTracks()[0]
  if (!track) throw new DOMException('No track', 'NotFoundError')
  return track
}

/**
 * @param {Device} device
 * @returns {Promise<MediaDeviceInfo[]>} those that can be told apart; none before access was given
 */
export async function listDevices(device) {
  const kind = device === 'mic' ? 'audioinput' : 'videoinput'
  const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? []
  return all.filter((each) => each.kind === kind && each.deviceId !== '')
}

/**
 * @param {Device} device
 * @param {unknown} error as `getUserMedia` threw it, or the library's error
 * @param {boolean} [inCall] the call has begun already
 * @returns {Promise<Trouble>}
 */
export async function troubleWith(device, error, inCall = false) {
  const what = device === 'mic' ? 'microphone' : 'camera'
  const without = inCall ? 'You can stay in the call without it.' : 'You can also join without it.'
  const Other = device === 'mic' ? 'Microphone' : 'Camera'
  const name = /** @type {any} */ (error)?.name ?? ''
  switch (name) {
    case 'InsecureOrigin':
      return {
        cause: `Browsers allow the ${what} only on secure (https) pages.`,
        remedy: `Open this page with https, or on this computer at http://localhost${location.port ? `:${location.port}` : ''}. ${inCall ? without : 'You can also join without it.'}`,
        button: null,
      }
    case 'NotAllowedError':
    case 'SecurityError':
    case 'OT_USER_MEDIA_ACCESS_DENIED':
      if ((await permission(what)) === 'denied') {
        return {
          cause: `${Other} blocked.`,
          remedy: `Click the ${what} icon in the address bar, allow it, then try again. ${without}`,
          button: 'Try again',
        }
      }
      return {
        cause: `The ${what} was not allowed.`,
        remedy: `If no question appeared, your system blocks it: on macOS see System Settings › Privacy & Security › ${Other}; on Windows see Settings › Privacy › ${Other}. ${without}`,
        button: 'Try again',
      }
    case 'NotFoundError':
    case 'OT_NO_DEVICES_FOUND':
      return {
        cause: `No ${what} found.`,
        remedy: `Plug one in and try again, or ${inCall ? 'go on' : 'join'} without it: ${device === 'mic' ? 'others will not hear you' : 'others will hear you, but not see you'}.`,
        button: 'Try again',
      }
    case 'NotReadableError':
    case 'AbortError':
    case 'OT_HARDWARE_UNAVAILABLE':
      return {
        cause: `Another program is using the ${what}.`,
        remedy: 'Close it there, then try again.',
        button: 'Try again',
      }
    default:
      return {
        cause: `The ${what} could not be opened.`,
        remedy: `Try another browser. ${without}`,
        button: 'Try again',
      }
  }
}

/** @param {string} name @returns {Promise<string>} */
async function permission(name) {
  try {
    const status = await navigator.permissions.query({ name: /** @type {any} */ (name) })
    return status.state
  } catch {
    return 'denied' // a browser that does not tell: the advice for its own block is the usual one
  }
}
