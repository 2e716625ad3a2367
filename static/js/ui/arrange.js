/** @file Where tiles go: any number of them, in a window of any shape, without scrolling. */

/**
 * Pixels from the upper left corner.
 *
 * @typedef {{ x: number, y: number, width: number, height: number }} Box
 */

/** Wider tiles than this look like letter boxes. */
const WIDEST = 16 / 9

/** Below this width of the window people hold a phone. */
const NARROW = 640

/**
 * A grid that fills `area`: the number of columns that makes tiles largest, the last row centred.
 *
 * @param {number} count
 * @param {{ width: number, height: number }} area
 * @param {number} gap
 * @returns {Box[]}
 */
export function grid(count, area, gap) {
  if (count === 0) return []
  const narrow = area.width < NARROW && area.height > area.width
  const slimmest = narrow ? 0.45 : 1
  let best = size(count, columnsOnPhone(count), area, gap, slimmest)
  if (!narrow) {
    for (let columns = 1; columns <= count; columns++) {
      const other = size(count, columns, area, gap, slimmest)
      if (other.width * other.height > best.width * best.height) best = other
    }
  }
  const { columns, rows, width, height } = best
  const top = (area.height - rows * height - (rows - 1) * gap) / 2
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns)
    const inRow = row === rows - 1 ? count - row * columns : columns
    const left = (area.width - inRow * width - (inRow - 1) * gap) / 2
    return {
      x: left + (index % columns) * (width + gap),
      y: top + row * (height + gap),
      width,
      height,
    }
  })
}

/**
 * One tile large, the others in a strip: at the side of a wide window, below in a high one.
 *
 * @param {number} count
 * @param {number} large the index of the large one
 * @param {{ width: number, height: number }} area
 * @param {number} gap
 * @returns {Box[]}
 */
export function spotlight(count, large, area, gap) {
  if (count < 2) return grid(count, area, gap)
  const wide = area.width > area.height
  const others = count - 1
  const strip = wide
    ? Math.min(260, Math.max(110, area.width * 0.2))
    : Math.min(150, Math.max(80, area.height * 0.2))
  const along = wide ? area.height : area.width
  const each = Math.min((along - gap * (others - 1)) / others, wide ? strip / 1.5 : strip * 1.4)
  const start = (along - others * each - (others - 1) * gap) / 2
  /** @type {Box[]} */
  const boxes = []
  let place = 0
  for (let index = 0; index < count; index++) {
    if (index === large) {
      boxes.push({
        x: 0,
        y: 0,
        width: wide ? area.width - strip - gap : area.width,
        height: wide ? area.height : area.height - strip - gap,
      })
      continue
    }
    const at = start + place * (each + gap)
    place += 1
    boxes.push(
      wide
        ? { x: area.width - strip, y: at, width: strip, height: each }
        : { x: at, y: area.height - strip, width: each, height: strip },
    )
  }
  return boxes
}

/**
 * Two: one fills the area, the other lies upon it in a corner.
 *
 * @param {number} small the index of the small one
 * @param {{ left: boolean, top: boolean }} corner
 * @param {{ width: number, height: number }} area
 * @returns {Box[]}
 */
export function inset(small, { left, top }, area) {
  const isUpright = area.height > area.width
  const width = Math.min(260, Math.max(96, Math.min(area.width, area.height * 1.6) * 0.27))
  const height = isUpright ? width * (4 / 3) : width * (10 / 16)
  const margin = 12
  const box = {
    x: left ? margin : area.width - width - margin,
    y: top ? margin : area.height - height - margin,
    width,
    height,
  }
  const whole = { x: 0, y: 0, width: area.width, height: area.height }
  return small === 0 ? [box, whole] : [whole, box]
}

/** @param {number} count */
function columnsOnPhone(count) {
  if (count <= 2) return 1
  return count <= 8 ? 2 : 3
}

/**
 * @param {number} count
 * @param {number} columns
 * @param {{ width: number, height: number }} area
 * @param {number} gap
 * @param {number} slimmest width over height, at least
 */
function size(count, columns, area, gap, slimmest) {
  const rows = Math.ceil(count / columns)
  const width = Math.max(0, (area.width - gap * (columns - 1)) / columns)
  const height = Math.max(0, (area.height - gap * (rows - 1)) / rows)
  return {
    columns,
    rows,
    width: Math.min(width, height * WIDEST),
    height: Math.min(height, width / slimmest),
  }
}
