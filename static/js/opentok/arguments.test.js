import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  connectArguments,
  publisherArguments,
  sessionArguments,
  widgetArguments,
} from './arguments.js'

const done = () => {}
const element = { nodeType: 1 }

test('initPublisher takes its arguments in every form, and an old API key before them', () => {
  const forms = [
    [[], undefined, {}, undefined],
    [['id'], 'id', {}, undefined],
    [[element], element, {}, undefined],
    [['id', { name: 'x' }], 'id', { name: 'x' }, undefined],
    [['id', { name: 'x' }, done], 'id', { name: 'x' }, done],
    [['id', done], 'id', {}, done],
    [[done], undefined, {}, done],
    [[null, { name: 'x' }], null, { name: 'x' }, undefined],
    [[undefined, { name: 'x' }, done], undefined, { name: 'x' }, done],
    [[{ insertDefaultUI: false }], undefined, { insertDefaultUI: false }, undefined],
    [['key', 'id'], 'id', {}, undefined],
    [['key', 'id', { name: 'x' }, done], 'id', { name: 'x' }, done],
    [['key', element], element, {}, undefined],
    [['key', null, { name: 'x' }], null, { name: 'x' }, undefined],
    [[123456, 'id'], 'id', {}, undefined],
    [[123456, 'id', done], 'id', {}, done],
  ]
  for (const [given, target, properties, callback] of forms) {
    assert.deepEqual(publisherArguments(given), { target, properties, callback })
  }
})

test('the properties that a page gave are not changed', () => {
  const given = { name: 'x' }
  assert.notEqual(widgetArguments(['id', given]).properties, given)
})

test('connect takes a token, or an API key and a token', () => {
  assert.deepEqual(connectArguments(['T1==']), {
    apiKey: undefined,
    token: 'T1==',
    callback: undefined,
  })
  assert.deepEqual(connectArguments(['T1==', done]), {
    apiKey: undefined,
    token: 'T1==',
    callback: done,
  })
  assert.deepEqual(connectArguments([123, 'T1==', done]), {
    apiKey: '123',
    token: 'T1==',
    callback: done,
  })
  assert.deepEqual(connectArguments([]), {
    apiKey: undefined,
    token: undefined,
    callback: undefined,
  })
})

test('initSession takes an API key and an id, or an id alone', () => {
  assert.deepEqual(sessionArguments(['key', 'id']), {
    apiKey: 'key',
    sessionId: 'id',
    options: undefined,
  })
  assert.deepEqual(sessionArguments([123, 'id', { a: 1 }]), {
    apiKey: '123',
    sessionId: 'id',
    options: { a: 1 },
  })
  assert.deepEqual(sessionArguments(['id']), { apiKey: undefined, sessionId: 'id' })
  assert.deepEqual(sessionArguments(['id', {}]), { apiKey: undefined, sessionId: 'id' })
})
