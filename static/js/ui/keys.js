/** @file Keys of the call. They can be switched off, and mean nothing while somebody types (WCAG 2.1.4). */

import { preferences } from './preferences.js'

/**
 * @param {Record<string, () => void>} actions by lower-case key
 * @param {{ hold: () => boolean, release: () => void }} space `hold` says whether it took the key
 * @param {AbortSignal} signal
 */
export function listenForKeys(actions, space, signal) {
  let holding = false
  document.addEventListener(
    'keydown',
    (event) => {
      if (preferences().noKeys || event.ctrlKey || event.metaKey || event.altKey || isTyping(event))
        return
      if (event.key === ' ') {
        if (onControl(event)) return
        event.preventDefault()
        if (!event.repeat) holding = space.hold()
        return
      }
      const action = actions[event.key.toLowerCase()]
      if (!action || event.repeat) return
      event.preventDefault()
      action()
    },
    { signal },
  )
  const release = () => {
    if (holding) space.release()
    holding = false
  }
  document.addEventListener('keyup', (event) => event.key === ' ' && release(), { signal })
  window.addEventListener('blur', release, { signal })
}

/** @param {KeyboardEvent} event */
function isTyping({ target }) {
  if (document.querySelector('dialog[open]')) return true
  return (
    target instanceof HTMLElement &&
    target.closest('input, textarea, select, [contenteditable]') !== null
  )
}

/** Space presses what has the focus. @param {KeyboardEvent} event */
function onControl({ target }) {
  return target instanceof HTMLElement && target.closest('button, a, summary') !== null
}
