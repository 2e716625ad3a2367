import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answering, asOpenTokError, exceptions, fail, OpenTokError } from './errors.js'
import { setLogLevel } from './log.js'

setLogLevel(0)

test('an error is told to the callback and to the listeners of exception, after the caller', async () => {
  const told = []
  exceptions.once('exception', ({ code, title, message, target }) =>
    told.push({ code, title, message, target }),
  )
  const target = {}
  const error = new OpenTokError(1010, 'OT_NOT_CONNECTED', 'Not yet.')
  fail(error, (given) => told.push(given), target)
  assert.deepEqual(told, [])
  await null
  assert.deepEqual(told, [
    { code: 1010, title: 'Not Connected', message: 'Not yet.', target },
    error,
  ])
})

test('one error is one exception, however many callbacks hear of it', async () => {
  const told = []
  const count = () => told.push('exception')
  exceptions.on('exception', count)
  const error = new OpenTokError(1500, 'OT_NO_DEVICES_FOUND', 'None.')
  fail(error, () => told.push('first'), null)
  fail(error, () => told.push('second'), null)
  await null
  exceptions.off('exception', count)
  assert.deepEqual(told, ['exception', 'first', 'second'])
})

test('the message is also the reason', () => {
  assert.equal(new OpenTokError(429, 'OT_RATE_LIMIT_EXCEEDED', 'Too fast.').reason, 'Too fast.')
})

test('what has no code of its own gets one', () => {
  const { code, name, message } = asOpenTokError(new TypeError('oops'), 1501, 'OT_STREAM_NOT_FOUND')
  assert.deepEqual([code, name, message], [1501, 'OT_STREAM_NOT_FOUND', 'oops'])
})

test('a promise with a callback calls back after the caller', async () => {
  const told = []
  answering(Promise.resolve(7), (error, value) => told.push(error, value))
  answering(Promise.reject(new OpenTokError(404, 'OT_NOT_FOUND', 'Gone.')), (error) =>
    told.push(error.code),
  ).catch(() => {})
  assert.deepEqual(told, [])
  await new Promise((resolve) => setTimeout(resolve, 0))
  assert.deepEqual(told, [undefined, 7, 404])
})
