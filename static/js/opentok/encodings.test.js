import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cameraEncodings, offeredCodecs, wantedHeight } from './encodings.js'

test('the larger the picture, the more layers, from small to large', () => {
  const layers = (height) => cameraEncodings(height).map(({ rid }) => rid)
  assert.deepEqual(layers(240), [undefined])
  assert.deepEqual(layers(480), ['h', 'f'])
  assert.deepEqual(layers(720), ['q', 'h', 'f'])
  assert.deepEqual(layers(1080), ['q', 'h', 'f'])
  const rates = cameraEncodings(720).map(({ maxBitrate }) => maxBitrate)
  assert.deepEqual(
    rates,
    rates.toSorted((a, b) => a - b),
  )
})

test('VP8 and Opus are offered, and nothing to a browser that lacks them', () => {
  const all = ['video/VP8', 'video/rtx', 'video/H264', 'video/AV1'].map((mimeType) => ({
    mimeType,
  }))
  assert.deepEqual(
    offeredCodecs('video', all).map(({ mimeType }) => mimeType),
    ['video/VP8', 'video/rtx'],
  )
  assert.deepEqual(offeredCodecs('video', all.slice(1)), [])
  assert.deepEqual(
    offeredCodecs('audio', [{ mimeType: 'audio/opus' }, { mimeType: 'audio/G722' }]),
    [{ mimeType: 'audio/opus' }],
  )
})

test('the height follows from how the picture fills the element', () => {
  const video = { width: 1280, height: 720 }
  assert.equal(wantedHeight({ width: 320, height: 320 }, video, 'contain'), 180)
  assert.equal(wantedHeight({ width: 320, height: 320 }, video, 'cover'), 320)
  assert.equal(wantedHeight({ width: 640, height: 200 }, video, 'cover'), 360)
  assert.equal(wantedHeight({ width: 0, height: 0 }, video, 'cover'), 1)
  assert.equal(wantedHeight({ width: 160, height: 90 }, { width: 0, height: 0 }, 'contain'), 90)
})
