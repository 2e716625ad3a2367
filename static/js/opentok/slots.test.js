import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_SLOTS, Slots } from './slots.js'

test('slots grow by a few at a time up to their number, and are not made while one is free', () => {
  const slots = new Slots()
  const grown = []
  for (;;) {
    const missing = slots.missing
    if (missing > 0) grown.push(missing)
    for (let made = 0; made < missing; made += 1) slots.add()
    if (slots.take() === null) break
  }
  assert.deepEqual(grown, [2, 2, 4, 4, 4, 4, 4])
  assert.equal(slots.count, MAX_SLOTS)
  slots.free(7)
  assert.equal(slots.missing, 0)
  assert.equal(slots.take(), 7)
})
