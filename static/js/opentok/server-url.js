/** @file Where the server is. Pages pass a session and a token only, so it is where this script came from. */

/** @type {string | null} */
let scriptUrl = null

/** The library's global name: beside another server's it has one of its own. */
let globalName = 'OT'

/** @param {string} url of the script that holds this library @param {string} name its global */
export function setScriptUrl(url, name) {
  scriptUrl = url
  globalName = name
}

/** @returns {string} `wss://host/live` */
export function signalingUrl() {
  const chosen = /** @type {any} */ (globalThis)[globalName]?.__engineUrl
  const base = new URL(chosen ?? scriptUrl ?? location.href, location.href)
  const url = new URL('/live', base)
  url.protocol = base.protocol === 'https:' || base.protocol === 'wss:' ? 'wss:' : 'ws:'
  return url.href
}
