/** @file Moving the own picture to a corner: by dragging it there, or with a click to the next one. */

/** A hand that shakes does not drag. */
const STILL_PX = 6

/**
 * @param {HTMLElement} element lies in `container`, placed by its style's left and top
 * @param {HTMLElement} container
 * @param {(corner: { left: boolean, top: boolean } | null) => void} moved null: it was only clicked
 */
export function dragToCorner(element, container, moved) {
  element.addEventListener('pointerdown', (down) => {
    if (!element.classList.contains('tile--inset') || down.button !== 0) return
    down.preventDefault()
    element.setPointerCapture(down.pointerId)
    const from = { x: element.offsetLeft - down.clientX, y: element.offsetTop - down.clientY }
    const over = new AbortController()
    const { signal } = over
    let dragged = false
    const move = (/** @type {PointerEvent} */ event) => {
      dragged ||= Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > STILL_PX
      if (!dragged) return
      element.style.left = `${from.x + event.clientX}px`
      element.style.top = `${from.y + event.clientY}px`
    }
    element.addEventListener('pointermove', move, { signal })
    element.addEventListener('pointercancel', () => over.abort(), { signal })
    element.addEventListener(
      'pointerup',
      () => {
        over.abort()
        if (!dragged) return moved(null)
        moved({
          left: element.offsetLeft + element.offsetWidth / 2 < container.clientWidth / 2,
          top: element.offsetTop + element.offsetHeight / 2 < container.clientHeight / 2,
        })
      },
      { signal },
    )
  })
}
