/** @file Where a widget goes: `insertMode` and what a target may be. */

/** @typedef {'replace' | 'append' | 'before' | 'after'} InsertMode */

/**
 * Calls `place` with the target as soon as it can be known: an element at once, an id once the body has been read.
 *
 * @param {any} target an element, the id of one, or nothing
 * @param {(element: HTMLElement | null) => void} place null: there is no such element
 */
export function whenTargetIsKnown(target, place) {
  if (typeof target !== 'string') {
    whenThereIsABody(() => place(target?.nodeType === 1 ? target : null))
    return
  }
  const found = document.getElementById(target)
  if (found) place(found)
  else whenParsed(() => place(document.getElementById(target)))
}

/**
 * Puts a widget's root into the page.
 *
 * @param {HTMLElement | null} target null: at the end of the body
 * @param {InsertMode | undefined} mode absent: `replace`
 * @param {string} id of a new root
 * @returns {HTMLElement} the root; with `replace` the target itself, emptied
 */
export function insertRoot(target, mode, id) {
  if (target && (mode === undefined || mode === 'replace')) {
    target.replaceChildren()
    if (!target.id) target.id = id
    return target
  }
  const owner = target?.ownerDocument ?? document
  const root = owner.createElement('div')
  root.id = id
  if (!target) owner.body.append(root)
  else if (mode === 'before') target.before(root)
  else if (mode === 'after') target.after(root)
  else target.append(root)
  return root
}

/**
 * @param {unknown} size pixels, or a CSS length
 * @returns {string | null} null: not given
 */
export function cssLength(size) {
  if (typeof size === 'number') return `${size}px`
  if (typeof size !== 'string' || size === '') return null
  return /^\d+(\.\d+)?$/.test(size) ? `${size}px` : size
}

/** @param {() => void} task */
function whenParsed(task) {
  if (document.readyState !== 'loading') task()
  else document.addEventListener('DOMContentLoaded', () => task(), { once: true })
}

/** @param {() => void} task */
function whenThereIsABody(task) {
  if (document.body) task()
  else whenParsed(task)
}
