import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Events, later, OTEvent } from './events.js'

test('handlers are added by one name, by several, and by an object', () => {
  const events = new Events()
  const heard = []
  const context = { who: 'me' }
  const returned = events
    .on('a', () => heard.push('a'))
    .on(
      'b c',
      function () {
        heard.push(this.who)
      },
      context,
    )
    .on({ d: () => heard.push('d') })
  assert.equal(returned, events)

  for (const name of ['a', 'b', 'c', 'd', 'e']) events.trigger(name)
  assert.deepEqual(heard, ['a', 'me', 'me', 'd'])
})

test('a handler of once runs once for each of its names', () => {
  const events = new Events()
  const heard = []
  events.once('a b', (value) => heard.push(value))
  for (const value of [1, 2]) {
    events.trigger('a', `a${value}`)
    events.trigger('b', `b${value}`)
  }
  assert.deepEqual(heard, ['a1', 'b1'])
})

test('a handler of once goes without another of the same function, and null narrows nothing', () => {
  const events = new Events()
  const heard = []
  const handler = () => heard.push('a')
  events.once('a', handler).on('a', handler, {})
  events.trigger('a').trigger('a')
  assert.equal(heard.length, 3)
  events.off('a', handler, null)
  assert.equal(events.hasHandlers('a'), false)
})

test('off forgets everything, a name, a handler of any name, or what belongs to a context', () => {
  const handler = () => {}
  const other = () => {}
  const context = {}
  const fill = () => new Events().on('a b', handler, context).on('a', other)
  const left = (events) => [events.hasHandlers('a'), events.hasHandlers('b')]

  assert.deepEqual(left(fill().off()), [false, false])
  assert.deepEqual(left(fill().off('a')), [false, true])
  assert.deepEqual(left(fill().off('b', other)), [true, true])
  assert.deepEqual(left(fill().off(null, handler)), [true, false])
  assert.deepEqual(left(fill().off(undefined, undefined, context)), [true, false])
  assert.deepEqual(left(fill().off({ b: handler })), [true, false])
})

test('a handler added during an event waits for the next one, a removed one does not run any more', () => {
  const events = new Events()
  const heard = []
  const removed = () => heard.push('removed')
  events.on('a', () => {
    events.off('a', removed)
    events.once('a', () => heard.push('added'))
  })
  events.on('a', removed)
  events.trigger('a')
  assert.deepEqual(heard, [])
  events.trigger('a')
  assert.deepEqual(heard, ['added'])
})

test('a handler that throws stops no other', (t) => {
  const reported = t.mock.method(console, 'error', () => {})
  const events = new Events()
  const heard = []
  events.on('a', () => {
    throw new Error('the page is wrong')
  })
  events.on('a', () => heard.push('second'))
  events.trigger('a')
  assert.deepEqual(heard, ['second'])
  assert.equal(reported.mock.calls[0].arguments[0].message, 'the page is wrong')
})

test('only a cancelable event can be prevented, and its target is who dispatched it', () => {
  const events = new Events()
  events.on('a', (event) => event.preventDefault())
  const fixed = new OTEvent('a')
  const open = new OTEvent('a', { stream: 1 }, true)
  events.dispatchEvent(fixed)
  events.dispatchEvent(open)
  assert.equal(fixed.isDefaultPrevented(), false)
  assert.equal(open.isDefaultPrevented(), true)
  assert.equal(open.target, events)
  assert.equal(open.stream, 1)
})

test('what is done later is done after the caller, in order', async () => {
  const done = []
  later(() => done.push(1))
  later(() => done.push(2))
  done.push(0)
  await null
  assert.deepEqual(done, [0, 1, 2])
})
