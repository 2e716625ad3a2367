/**
 * @file Keeps a page about archives true while it is open: when the server tells of a change, the page is fetched
 * anew and the part that shows it is put in place. The server draws everything, so nothing is drawn twice.
 */

import { localTimes, runElapsed } from './time.js'

/** Many changes at once, as while composing, are one. */
const SOON_MS = 300

/**
 * Makes what the server drew alive: times in the visitor's zone, times that run.
 *
 * @param {ParentNode} root
 * @returns {() => void} stops what runs
 */
export function enliven(root) {
  localTimes(root)
  return runElapsed(root)
}

/**
 * @param {(id: string | undefined) => boolean} concerns whether a change of this archive is shown here; undefined: of any
 * @param {(fresh: Document) => void} show puts what changed in place
 */
export function keepTrue(concerns, show) {
  let waiting = false
  const refresh = async () => {
    waiting = false
    if (document.querySelector('dialog[open]')) return schedule() // nobody is interrupted
    try {
      const response = await fetch(location.href, { headers: { Accept: 'text/html' } })
      if (!response.ok) return
      show(new DOMParser().parseFromString(await response.text(), 'text/html'))
    } catch {
      // The next change asks again.
    }
  }
  const schedule = () => {
    if (waiting) return
    waiting = true
    setTimeout(refresh, SOON_MS)
  }
  /** @type {EventSource | null} */
  let news = null
  let wasLost = false
  const listen = () => {
    news = new EventSource('/archives/events')
    news.addEventListener('archive', (event) => {
      if (concerns(JSON.parse(event.data).id)) schedule()
    })
    news.addEventListener('error', () => {
      wasLost = true
    })
    news.addEventListener('open', () => {
      if (wasLost) schedule() // what happened meanwhile was missed
      wasLost = false
    })
  }
  // A browser keeps six connections to a server: a tab that nobody sees must not hold one.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      news?.close()
      news = null
      wasLost = true
    } else if (!news) {
      listen()
    }
  })
  if (!document.hidden) listen()
}

/**
 * Puts the fresh version of an element in place of the present one, unless it is the same.
 *
 * @param {Document} fresh
 * @param {string} id
 * @returns {HTMLElement | null} the new element
 */
export function replace(fresh, id) {
  const present = document.getElementById(id)
  const next = fresh.getElementById(id)
  if (!present || !next || present.dataset.drawn === next.outerHTML) return null
  const drawn = next.outerHTML
  const focused = present.contains(document.activeElement)
    ? document.activeElement?.getAttribute('aria-label')
    : null
  const adopted = document.importNode(next, true)
  adopted.dataset.drawn = drawn
  present.replaceWith(adopted)
  if (focused) {
    for (const element of adopted.querySelectorAll('[aria-label]')) {
      if (element instanceof HTMLElement && element.getAttribute('aria-label') === focused)
        element.focus()
    }
  }
  return adopted
}
