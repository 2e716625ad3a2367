import assert from 'node:assert/strict'
import { test } from 'node:test'

import { quality } from './quality.js'

test('bars follow the loss', () => {
  const bars = (/** @type {number} */ received, /** @type {number} */ lost) =>
    quality({ received, lost }).bars
  assert.equal(bars(1000, 0), 4)
  assert.equal(bars(950, 50), 4)
  assert.equal(bars(930, 70), 3)
  assert.equal(bars(900, 100), 2)
  assert.equal(bars(800, 200), 1)
  assert.equal(bars(0, 0), 0)
})
