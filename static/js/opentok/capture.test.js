import assert from 'node:assert/strict'
import { test } from 'node:test'
import { audioConstraints, parseResolution, refusal, videoConstraints } from './capture.js'

test('a publisher asks for its resolution, its rate and its devices', () => {
  assert.deepEqual(videoConstraints({}), {
    width: { ideal: 640 },
    height: { ideal: 480 },
    frameRate: { ideal: 30 },
  })
  assert.deepEqual(
    videoConstraints({
      resolution: '1280x720',
      frameRate: 15,
      videoSource: 'cam',
      facingMode: 'user',
    }),
    {
      deviceId: { exact: 'cam' },
      width: { ideal: 1280 },
      height: { ideal: 720 },
      frameRate: { ideal: 15 },
      facingMode: 'user',
    },
  )
  assert.deepEqual(audioConstraints({ audioSource: 'mic', disableAudioProcessing: true }), {
    deviceId: { exact: 'mic' },
    echoCancellation: false,
    noiseSuppression: false,
    autoGainControl: false,
  })
  assert.deepEqual(parseResolution('wide'), { width: 640, height: 480 })
})

test("the browser's refusals have OpenTok's names", () => {
  const names = {
    NotAllowedError: 'OT_USER_MEDIA_ACCESS_DENIED',
    NotFoundError: 'OT_NO_DEVICES_FOUND',
    NotReadableError: 'OT_HARDWARE_UNAVAILABLE',
    OverconstrainedError: 'OT_CONSTRAINTS_NOT_SATISFIED',
  }
  for (const [browser, name] of Object.entries(names)) {
    const { code, name: given } = refusal({ name: browser })
    assert.deepEqual([code, given], [1500, name])
  }
})
