import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cssLength, insertRoot, whenTargetIsKnown } from './insert-mode.js'

/** As much of an element as insertion needs. */
class FakeElement {
  nodeType = 1
  children = ['old']
  parent = null
  id

  constructor(owner, id = '') {
    this.ownerDocument = owner
    this.id = id
  }

  replaceChildren() {
    this.children = []
  }

  append(child) {
    this.children.push(child)
  }

  before(sibling) {
    this.parent.splice(this.parent.indexOf(this), 0, sibling)
  }

  after(sibling) {
    this.parent.splice(this.parent.indexOf(this) + 1, 0, sibling)
  }
}

function page(readyState = 'complete') {
  const elements = new Map()
  const listeners = []
  const fake = {
    readyState,
    createElement: () => new FakeElement(fake),
    getElementById: (id) => elements.get(id) ?? null,
    addEventListener: (_, listener) => listeners.push(listener),
  }
  fake.body = new FakeElement(fake)
  const add = (id) => elements.set(id, new FakeElement(fake, id)).get(id)
  const parsed = () => {
    fake.readyState = 'interactive'
    for (const listener of listeners) listener()
  }
  globalThis.document = fake
  return { fake, add, parsed }
}

test('by default the target becomes the widget, emptied, and keeps its id', () => {
  const { add } = page()
  const target = add('publisher')
  assert.equal(insertRoot(target, undefined, 'OT_1'), target)
  assert.equal(target.id, 'publisher')
  assert.deepEqual(target.children, [])
})

test('append, before and after make a new element with an id of its own', () => {
  const { add } = page()
  const target = add('t')
  target.parent = [target]
  const appended = insertRoot(target, 'append', 'OT_1')
  assert.deepEqual(target.children, ['old', appended])
  assert.equal(appended.id, 'OT_1')
  const before = insertRoot(target, 'before', 'OT_2')
  const after = insertRoot(target, 'after', 'OT_3')
  assert.deepEqual(target.parent, [before, target, after])
})

test('without a target the body is it', () => {
  const { fake } = page()
  const root = insertRoot(null, 'replace', 'OT_1')
  assert.deepEqual(fake.body.children, ['old', root])
})

test('a target is looked for when the body has been read', () => {
  const { add, parsed } = page('loading')
  const found = []
  whenTargetIsKnown('late', (element) => found.push(element))
  assert.deepEqual(found, [])
  const late = add('late')
  parsed()
  assert.deepEqual(found, [late])

  whenTargetIsKnown('nowhere', (element) => found.push(element))
  whenTargetIsKnown(late, (element) => found.push(element))
  whenTargetIsKnown(undefined, (element) => found.push(element))
  assert.deepEqual(found, [late, null, late, null])
})

test('sizes are pixels or CSS lengths', () => {
  assert.equal(cssLength(320), '320px')
  assert.equal(cssLength('320'), '320px')
  assert.equal(cssLength('100%'), '100%')
  assert.equal(cssLength(undefined), null)
})
