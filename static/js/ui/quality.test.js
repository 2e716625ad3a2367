import assert from 'node:assert/strict'
import { test } from 'node:test'

import { quality } from './quality.js'

/** The bars when this many of 10,000 packets of each medium are lost. */
const bars = (/** @type {{ audio?: number, video?: number }} */ { audio = 0, video = 0 }) =>
  quality({
    audio: { received: 10_000 - audio, lost: audio },
    video: { received: 10_000 - video, lost: video },
  }).bars

test('bars follow the loss of video', () => {
  assert.equal(bars({ video: 0 }), 4)
  assert.equal(bars({ video: 199 }), 4)
  assert.equal(bars({ video: 200 }), 3)
  assert.equal(bars({ video: 599 }), 3)
  assert.equal(bars({ video: 600 }), 1)
})

test('audio bears more loss than video', () => {
  assert.equal(bars({ audio: 374 }), 4)
  assert.equal(bars({ audio: 375 }), 3)
  assert.equal(bars({ audio: 1124 }), 3)
  assert.equal(bars({ audio: 1125 }), 1)
})

test('the worse medium counts, and one that is not sent does not', () => {
  const none = { received: 0, lost: 0 }
  assert.equal(bars({ audio: 100, video: 700 }), 1)
  assert.equal(quality({ audio: { received: 150, lost: 0 }, video: none }).bars, 4)
  assert.equal(quality({ audio: none, video: none }).words, 'Connection lost')
})
