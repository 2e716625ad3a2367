/**
 * @file The browser library of the video platform that calls are on: the global `OT`.
 *
 * This server's own stands in the page. That of another platform is loaded by this script, so that a platform that cannot
 * be reached is said in words and keeps no page from coming up.
 */

import { Problem } from './http.js'

/** How long anybody waits for it. */
const PATIENCE_MS = 10_000

/** @type {Promise<void> | null} */
let loading = null

/**
 * @param {string | null} address null: it stands in the page
 * @returns {Promise<void>} once there is an `OT`
 * @throws {Problem}
 */
export function loadLibrary(address) {
  if (address === null) return Promise.resolve()
  loading ??= load(address).catch((problem) => {
    loading = null // to be tried again
    throw problem
  })
  return loading
}

/** @param {string} address @returns {Promise<void>} */
function load(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script')
    const timer = setTimeout(() => fail("It doesn't respond."), PATIENCE_MS)
    const fail = (/** @type {string} */ why) => {
      clearTimeout(timer)
      script.remove()
      const remedy = `${why} Check your network, then try again.`
      reject(new Problem(0, 'The video platform cannot be reached.', remedy))
    }
    script.addEventListener('load', () => {
      clearTimeout(timer)
      if (/** @type {any} */ (globalThis).OT) resolve()
      else fail("The address answers, but it isn't the platform.")
    })
    script.addEventListener('error', () => fail("Couldn't load its library."))
    script.src = address
    document.head.append(script)
  })
}
