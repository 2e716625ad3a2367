import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signalMessage } from './signal.js'

const message = (signal) => signalMessage(signal, (to) => to.connectionId ?? null)

test('what is left out of a signal is not sent', () => {
  assert.deepEqual(message({}), { type: 'signal' })
  assert.deepEqual(message({ type: 'c1~status', data: 'online', to: { connectionId: 'c2' } }), {
    type: 'signal',
    signalType: 'c1~status',
    data: 'online',
    to: 'c2',
  })
})

test('a signal that is wrong has a reason', () => {
  const cases = [
    [{ type: null }, 400],
    [{ data: undefined }, 400],
    [{ to: null }, 400],
    [{ type: 'two words' }, 400],
    [{ type: '' }, 400],
    [{ type: 'x'.repeat(129) }, 413],
    [{ data: 'x'.repeat(8191) }, 413],
    [{ to: 'somebody' }, 400],
  ]
  for (const [signal, code] of cases) {
    assert.throws(() => message(signal), { code, name: 'OT_INVALID_PARAMETER' })
  }
  assert.equal(message({ data: 'x'.repeat(8190) }).data.length, 8190)
})
