import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Roster } from './roster.js'
import { fold, inOrder } from './sorting.js'

/** @param {string} name */
function entry(name, state = 'available', number = undefined) {
  return { id: `${name}-${number ?? 1}`, name, state, ...(number && { number }) }
}

function delta(seq, changes = {}) {
  return { seq, total: 0, joined: [], changed: [], left: [], ...changes }
}

function names(roster) {
  return roster.buddies.map(({ name }) => name)
}

/** A server's roster, whose pages and deltas can be asked for. */
class Server {
  seq = 0
  all = new Map()

  delta(changes) {
    this.seq += 1
    const full = delta(this.seq, changes)
    for (const each of [...full.joined, ...full.changed]) this.all.set(each.id, each)
    for (const id of full.left) this.all.delete(id)
    return full
  }

  page(offset, limit, search = '') {
    const found = [...this.all.values()]
      .filter(({ name }) => fold(name).includes(fold(search)))
      .sort(inOrder)
    return {
      seq: this.seq,
      total: found.length,
      buddies: found.slice(offset, offset + limit),
    }
  }
}

test('available buddies come first, then those in a call, then those not to be disturbed, by name', () => {
  const roster = new Roster()
  const buddies = [
    entry('dora', 'doNotDisturb'),
    entry('Zoë'),
    entry('carl', 'inviting'),
    entry('Ann', 'available', 2),
    entry('bob', 'chatting'),
    entry('ann'),
  ]
  roster.start({ seq: 1, total: 6, buddies })
  assert.deepEqual(names(roster), ['ann', 'Ann', 'Zoë', 'bob', 'carl', 'dora'])
})

test('names are sorted as the server sorts them: without case, blanks and unseen characters, by code point', () => {
  assert.equal(fold('  ÄNN\u2003 \u200bB '), 'änn b')
  const sorted = [entry('😀'), entry('\uff21'), entry('a')].sort(inOrder)
  assert.deepEqual(
    sorted.map(({ name }) => name),
    ['a', '\uff21', '😀'],
  )
})

test('deltas keep the roster true', () => {
  const roster = new Roster()
  roster.start({ seq: 4, total: 2, buddies: [entry('Ann'), entry('Bob')] })
  assert.ok(roster.apply(delta(5, { joined: [entry('Al')], left: ['Bob-1'] })))
  assert.ok(roster.apply(delta(6, { changed: [entry('Al', 'chatting')] })))
  assert.deepEqual(names(roster), ['Ann', 'Al'])
  assert.equal(roster.total, 2)
})

test('a missed delta is noticed, and the page that is asked for then is brought up to date', () => {
  const roster = new Roster()
  roster.start({ seq: 4, total: 1, buddies: [entry('Ann')] })
  assert.equal(roster.apply(delta(6, { joined: [entry('Cid')] })), false)
  assert.equal(roster.apply(delta(7, { joined: [entry('Dan')] })), false)
  assert.ok(roster.start({ seq: 5, total: 2, buddies: [entry('Ann'), entry('Bob')] }))
  assert.deepEqual(names(roster), ['Ann', 'Bob', 'Cid', 'Dan'])
  assert.equal(roster.total, 4)
  assert.equal(roster.seq, 7)
})

test('deltas older than the page change nothing', () => {
  const roster = new Roster()
  assert.ok(roster.apply(delta(3, { joined: [entry('Ann')] })))
  roster.start({ seq: 3, total: 1, buddies: [entry('Ann')] })
  assert.ok(roster.apply(delta(2, { left: ['Ann-1'] })))
  assert.deepEqual(names(roster), ['Ann'])
})

test('a server that started again counts from one', () => {
  const roster = new Roster()
  roster.start({ seq: 7, total: 1, buddies: [entry('Ann')] })
  roster.apply(delta(8, { joined: [entry('Old')] }))
  roster.forget()
  assert.ok(roster.apply(delta(1, { joined: [entry('Bob')] })))
  assert.ok(roster.apply(delta(2, { joined: [entry('Cid')] })))
  assert.ok(roster.start({ seq: 1, total: 1, buddies: [entry('Bob')] }))
  assert.deepEqual(names(roster), ['Bob', 'Cid'])
})

test('we are no buddy of ours', () => {
  const roster = new Roster()
  roster.self = 'Ann-1'
  roster.start({ seq: 0, total: 0, buddies: [] })
  roster.apply(delta(1, { joined: [entry('Ann'), entry('Bob')] }))
  assert.deepEqual(names(roster), ['Bob'])
  assert.equal(roster.total, 1)
  roster.apply(delta(2, { left: ['Ann-1'] }))
  assert.equal(roster.total, 1)
})

test('somebody who changes from behind the end of what is shown to before it appears, and the other way round', () => {
  const server = new Server()
  server.delta({ joined: ['a', 'b', 'c', 'd', 'e'].map((name) => entry(name)) })
  const roster = new Roster()
  roster.start(server.page(0, 3))
  assert.ok(roster.hasMore)
  roster.apply(server.delta({ changed: [entry('a', 'chatting')] }))
  assert.deepEqual(names(roster), ['b', 'c'])
  roster.apply(server.delta({ joined: [entry('aa')] }))
  roster.apply(server.delta({ joined: [entry('z')] }))
  assert.deepEqual(names(roster), ['aa', 'b', 'c'])
  assert.equal(roster.total, 7)
})

test('pages that arrive while the list moves leave nobody out', () => {
  let random = 7
  const next = (below) => {
    random = (random * 48271) % 2147483647
    return random % below
  }
  for (let round = 0; round < 40; round += 1) {
    const server = new Server()
    server.delta({ joined: Array.from({ length: 300 }, (_, i) => entry(`n${next(900)}-${i}`)) })
    const roster = new Roster()
    const wire = []
    roster.start(server.page(0, 50))
    const churn = () => {
      for (let i = 0; i < next(4); i += 1) {
        const ids = [...server.all.keys()]
        const left = [ids[next(ids.length)]]
        const changed = server.all.get(ids[next(ids.length)])
        const state = ['available', 'chatting', 'doNotDisturb'][next(3)]
        wire.push(
          server.delta({
            joined: [entry(`n${next(900)}-j${server.seq}`)],
            left,
            changed: changed.id === left[0] ? [] : [{ ...changed, state }],
          }),
        )
      }
    }
    for (let page = 0; page < 20 && roster.hasMore; page += 1) {
      const offset = roster.nextOffset
      churn()
      const answer = server.page(offset, 60)
      churn()
      while (wire.length > 0 && next(3) > 0) assert.ok(roster.apply(wire.shift()))
      if (!roster.extend(answer, offset)) {
        assert.ok(roster.start(server.page(0, 200)))
      }
    }
    while (wire.length > 0) roster.apply(wire.shift())
    const truth = server.page(0, 1000).buddies.map(({ id }) => id)
    const shown = roster.buddies.map(({ id }) => id)
    assert.deepEqual(shown, truth.slice(0, shown.length))
    assert.equal(roster.total, truth.length)
    if (!roster.hasMore) assert.equal(shown.length, truth.length)
  }
})

test('a search shows who matches, and asks again when it cannot tell', () => {
  const server = new Server()
  server.delta({ joined: ['Ann', 'Joanna', 'Bob', 'Hanna'].map((name) => entry(name)) })
  const roster = new Roster()
  roster.start(server.page(0, 50, 'ANN'), 'ANN')
  assert.deepEqual(names(roster), ['Ann', 'Hanna', 'Joanna'])
  const change = { joined: [entry('Manny'), entry('Carl')], left: ['Ann-1', 'Bob-1'] }
  assert.ok(roster.apply(server.delta(change)))
  assert.deepEqual(names(roster), ['Hanna', 'Joanna', 'Manny'])
  assert.equal(roster.total, 3)
  roster.start(server.page(0, 2, 'ann'), 'ann')
  assert.equal(roster.apply(server.delta({ left: ['Manny-1'] })), false)
  roster.start(server.page(0, 2, 'ann'), 'ann')
  assert.equal(roster.total, 2)
})
