/** @file What this browser remembers of its visitor's choices. Storage may be switched off: then nothing. */

const KEY = 'parlor.choices'

/**
 * @typedef {object} Choices
 * @property {string} [name]
 * @property {boolean} [micOn] as it was in the last call
 * @property {boolean} [cameraOn]
 * @property {string} [micId]
 * @property {string} [cameraId]
 * @property {boolean} [noKeys] shortcuts are switched off
 */

/** @returns {Choices} */
export function preferences() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}')
  } catch {
    return {}
  }
}

/** @param {Choices} changed */
export function savePreference(changed) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...preferences(), ...changed }))
  } catch {
    // The choice holds for this page only.
  }
}
