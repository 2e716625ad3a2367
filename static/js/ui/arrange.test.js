import assert from 'node:assert/strict'
import { test } from 'node:test'

import { grid, inset, spotlight } from './arrange.js'

const GAP = 10
const WINDOWS = [
  { width: 1280, height: 660 },
  { width: 390, height: 720 },
  { width: 844, height: 300 },
  { width: 2560, height: 1200 },
]

/** @param {import('./arrange.js').Box[]} boxes @param {{ width: number, height: number }} area */
function fits(boxes, area) {
  for (const [index, box] of boxes.entries()) {
    assert.ok(box.width > 0 && box.height > 0, 'a tile has a size')
    assert.ok(box.x > -0.5 && box.y > -0.5, 'a tile starts inside')
    assert.ok(box.x + box.width < area.width + 0.5, 'a tile ends inside')
    assert.ok(box.y + box.height < area.height + 0.5, 'a tile ends inside')
    for (const other of boxes.slice(index + 1)) {
      const apart =
        box.x + box.width <= other.x + 0.5 ||
        other.x + other.width <= box.x + 0.5 ||
        box.y + box.height <= other.y + 0.5 ||
        other.y + other.height <= box.y + 0.5
      assert.ok(apart, 'tiles do not overlap')
    }
  }
}

test('any number of tiles fits into any window, side by side', () => {
  for (const area of WINDOWS) {
    for (let count = 1; count <= 30; count++) {
      const boxes = grid(count, area, GAP)
      assert.equal(boxes.length, count)
      fits(boxes, area)
      if (count < 8) fits(spotlight(count, count - 1, area, GAP), area)
    }
  }
})

test('on a phone two people are above one another and four in two columns', () => {
  const phone = { width: 390, height: 720 }
  const [first, second] = grid(2, phone, GAP)
  assert.equal(first?.x, second?.x)
  const columns = new Set(grid(4, phone, GAP).map(({ x }) => x))
  assert.equal(columns.size, 2)
})

test('on a desk two people are side by side', () => {
  const [first, second] = grid(2, { width: 1280, height: 660 }, GAP)
  assert.equal(first?.y, second?.y)
})

test('the last row is centred', () => {
  const area = { width: 1280, height: 660 }
  const third = grid(3, area, GAP)[2]
  assert.ok(third)
  assert.ok(Math.abs(third.x + third.width / 2 - area.width / 2) < 1)
})

test('whoever speaks is larger than the others', () => {
  for (const area of WINDOWS) {
    const boxes = spotlight(4, 2, area, GAP)
    const sizes = boxes.map(({ width, height }) => width * height)
    assert.equal(Math.max(...sizes), sizes[2])
  }
})

test('in a call of two one fills the window and the other lies in a corner of it', () => {
  for (const area of WINDOWS) {
    for (const left of [true, false]) {
      for (const top of [true, false]) {
        const boxes = inset(1, { left, top }, area)
        const [whole, small] = boxes
        fits([small], area)
        assert.deepEqual(whole, { x: 0, y: 0, ...area })
        assert.ok(small.width * small.height < (area.width * area.height) / 8)
        assert.equal(small.x < area.width / 2, left)
        assert.equal(small.y < area.height / 2, top)
      }
    }
  }
})
