/** @file Where the server is. Pages pass a session and a token only, so it is where this script came from. */

/** @type {string | null} */
let scriptUrl = null

/** @param {string} url of the script that holds this library */
export function cameFrom(url) {
  scriptUrl = url
}

/** @returns {string} `wss://host/live` */
export function liveUrl() {
  const chosen = /** @type {any} */ (globalThis).OT?.__engineUrl
  const base = new URL(chosen ?? scriptUrl ?? location.href, location.href)
  const url = new URL('/live', base)
  url.protocol = base.protocol === 'https:' || base.protocol === 'wss:' ? 'wss:' : 'ws:'
  return url.href
}
