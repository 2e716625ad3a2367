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
 * @param {HTMLElement} root
 * @returns {() => void} stops what runs
 */
export function autoRefresh(root) {
  root.dataset.drawn ??= root.outerHTML
  localTimes(root)
  return runElapsed(root)
}

/**
 * @param {(id: string | undefined) => boolean} concerns whether a change of this archive is shown here; undefined: of any
 * @param {(fresh: Document) => void} show puts what changed in place
 */
export function keepTrue(concerns, show) {
  const isInterrupting = watchHands()
  let isStale = false
  let isAtWork = false
  const refresh = async () => {
    isStale = true
    if (isAtWork) return
    isAtWork = true
    while (isStale) {
      await new Promise((resolve) => setTimeout(resolve, SOON_MS))
      if (isInterrupting()) continue
      isStale = false
      const fresh = await fetchAnew()
      if (fresh && isInterrupting()) isStale = true
      else if (fresh) show(fresh)
    }
    isAtWork = false
  }
  /** @type {EventSource | null} */
  let news = null
  const listen = () => {
    news = new EventSource('/archives/events')
    news.addEventListener('archive', (event) => {
      if (concerns(JSON.parse(event.data).id)) refresh()
    })
    // What happened since the page was drawn, or while the connection was lost, was missed.
    news.addEventListener('open', refresh)
  }
  // A browser keeps six connections to a server: a tab that nobody sees must not hold one.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      news?.close()
      news = null
    } else if (!news) {
      listen()
    }
  })
  if (!document.hidden) listen()
}

/** @returns {Promise<Document | null>} this page as the server draws it now; null: the next change asks again */
async function fetchAnew() {
  try {
    const response = await fetch(location.href, { headers: { Accept: 'text/html' } })
    // What has been deleted is told by a page, too.
    if (!response.ok && response.status !== 404) return null
    return new DOMParser().parseFromString(await response.text(), 'text/html')
  } catch {
    return null
  }
}

/**
 * Nobody is interrupted: a button that is replaced while it is pressed is not clicked, and a form that is replaced
 * while its question is answered is not sent.
 *
 * @returns {() => boolean} whether a change of the page would come between
 */
function watchHands() {
  let isPressed = false
  // A menu may swallow the release of another button.
  addEventListener('pointerdown', ({ button }) => (isPressed = button === 0), true)
  for (const end of ['pointerup', 'pointercancel']) {
    addEventListener(end, () => (isPressed = false), true)
  }
  return () => isPressed || document.querySelector('dialog') !== null
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
