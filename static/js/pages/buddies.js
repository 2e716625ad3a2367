/** @file The page of the buddies: who is here, who calls whom, and the call. */

import { CallView } from '../buddies/call-view.js'
import { Cards } from '../buddies/cards.js'
import { Consent } from '../buddies/consent.js'
import { IncomingCallAlert } from '../buddies/incoming-call-alert.js'
import { NameForm } from '../buddies/name-form.js'
import { PresenceConnection } from '../buddies/presence-connection.js'
import { RosterSync } from '../buddies/roster-sync.js'
import { nameOf, online, tooLate } from '../buddies/sentences.js'
import { answeredAtOnce, EMPTY, isFree, lost, reduce, resume } from '../buddies/state.js'
import { readBoot } from '../ui/boot.js'
import { copyLink } from '../ui/copy.js'
import { byId } from '../ui/dom.js'
import { get, postJson } from '../ui/http.js'
import { loadLibrary } from '../ui/library.js'
import { toast } from '../ui/toast.js'

/** @import { State, Step } from '../buddies/state.js' */
/** @import { BuddiesBoot, News, Person } from '../buddies/types.js' */

/** @type {BuddiesBoot} */
const boot = readBoot()

/** @type {State} */
let state = EMPTY
let isUp = false
/** An invitation of ours is on its way to the server. */
let isAsking = false
/** The call that was accepted with audio only. */
let audioOnly = false
/** Whether this page has known how things are before. */
let hasBegun = false
/** Counts what was heard, to notice news that overtake an answer. */
let heard = 0

const wire = new PresenceConnection(boot, {
  up: (isNew) => {
    isUp = true
    if (isNew) people.forget()
    refresh()
  },
  down: () => {
    isUp = false
    draw()
  },
  refused: (problem) => door.open(state.me?.name ?? '', wordsOf(problem)),
  delta: (delta) => people.apply(delta),
  news: (news) => listen(news),
})
const people = new RosterSync(call, draw)
const cards = new Cards({
  accept,
  decline: (invitation) => answer(invitation, 'decline'),
  cancel: (invitation) => answer(invitation, 'cancel'),
  call,
  forget: (from) => change('/buddies/missed/forget', { from }),
  dismiss: () => {
    state = { ...state, notice: null }
    draw()
    byId('roster-title', HTMLElement).focus({ preventScroll: true })
  },
  endElsewhere: () => end(),
})
const consent = new Consent(() => state.me?.id)
const stage = new CallView(consent, boot.library, {
  name: () => state.me?.name ?? '',
  over: (problem) => {
    take(lost(state))
    if (problem.status !== 404) toast(wordsOf(problem), { ms: 12_000 })
    refresh()
  },
})
const alarm = new IncomingCallAlert()
const door = new NameForm(boot.name, (name) => wire.open(name))

/** Takes over how things are, as often as news come in between. */
async function refresh() {
  people.refresh(true)
  try {
    const before = heard
    const mine = await get('/buddies/mine')
    if (heard !== before) return refresh()
    people.self = mine.me.id
    take(resume(state, mine, Date.now()))
    hasBegun = true
  } catch {
    // The wire says when the server is back.
  }
}

/** @param {News} news */
function listen(news) {
  heard += 1
  if (news.type === 'recording') consent.apply(news)
  take(reduce(state, news, Date.now()))
}

/** @param {Step} step */
function take({ state: next, said }) {
  const before = state
  state = next
  if (said) byId(said.urgent ? 'alert' : 'announce', HTMLElement).textContent = said.text
  alarm.update(state)
  follow(before)
  draw()
}

/** Into the call and out of it, as the server says. @param {State} before */
function follow(before) {
  const { chat } = state
  if (stage.chat && stage.chat.sessionId !== chat?.sessionId) {
    stage.leave()
    if (state.notice) requestAnimationFrame(() => byId('notice-title', HTMLElement).focus())
  }
  if (!chat || stage.chat) return
  // A tab that nobody knows any more was reloaded: the page that comes first after it takes its place.
  const isOurs = chat.tab === wire.tab || (chat.tab === null && (!hasBegun || !before.chat))
  if (!isOurs) return
  stage.enter(chat, audioOnly)
  audioOnly = false
}

/** @param {Person} person */
async function call(person) {
  if (!isUp || isAsking || !isFree(state)) return
  isAsking = true
  byId('asked', HTMLElement).hidden = true
  draw()
  try {
    const said = await postJson('/invitations', { to: person.id, tab: wire.tab })
    if (said.type === 'answered') take(answeredAtOnce(state, person, said.outcome))
  } catch (/** @type {any} */ error) {
    sorry(`${nameOf(person)} was not called.`, error)
  }
  isAsking = false
  draw()
}

/** @param {string} invitation @param {boolean} withoutCamera */
function accept(invitation, withoutCamera) {
  audioOnly = withoutCamera
  answer(invitation, 'accept')
}

/** @param {string} invitation @param {'accept' | 'decline' | 'cancel'} how */
async function answer(invitation, how) {
  const all = [...state.incoming, ...(state.outgoing ? [state.outgoing] : [])]
  const person = all.find((ringing) => ringing.invitation === invitation)?.person
  try {
    await postJson(`/invitations/${invitation}/${how}`, { tab: wire.tab })
  } catch (/** @type {any} */ error) {
    cards.retry(invitation)
    const isLate = error.outcome && person
    toast(isLate ? tooLate(person, error.outcome) : wordsOf(error), { ms: 12_000 })
    refresh()
  }
}

/** @param {string} path @param {object} [body] */
async function change(path, body = {}) {
  try {
    await postJson(path, body)
  } catch (/** @type {any} */ error) {
    toast(wordsOf(error), { ms: 12_000 })
    refresh()
  }
}

/** Ends the call, wherever it is shown. */
function end() {
  if (state.chat) change(`/chats/${encodeURIComponent(state.chat.sessionId)}/end`)
}

/** @param {{ message: string, remedy?: string }} problem */
function wordsOf({ message, remedy }) {
  return `${message} ${remedy ?? ''}`.trim()
}

/** @param {string} title @param {{ message: string, remedy?: string }} problem */
function sorry(title, problem) {
  const text = wordsOf(problem)
  state = {
    ...state,
    notice: { title, text, person: null },
  }
  byId('announce', HTMLElement).textContent = `${title} ${text}`
}

function draw() {
  const mayCall = isUp && !isAsking && isFree(state)
  const isElsewhere = state.chat !== null && stage.chat === null
  people.draw(state, mayCall)
  cards.draw(state, { mayCall, isElsewhere, isRecorded: consent.wasRecorded })
  byId('lost', HTMLElement).hidden = isUp || state.me === null
  byId('me', HTMLElement).textContent = state.me ? nameOf(state.me) : boot.name
  const hint = byId('roster-hint', HTMLElement)
  hint.hidden = mayCall || state.me === null
  hint.textContent = !isUp
    ? 'You can call again when the connection is back.'
    : state.chat
      ? 'You can call someone when your call is over.'
      : 'Cancel this call to call someone else.'
  const availability = byId('availability', HTMLSelectElement)
  availability.value = state.availability
  availability.disabled = !isUp
  availability.parentElement?.setAttribute('data-availability', state.availability)
  byId('invisible-hint', HTMLElement).hidden = state.availability !== 'invisible'
  byId('online', HTMLElement).textContent = people.total > 0 ? online(people.total) : ''
  const askedCall = document.getElementById('asked-call')
  if (askedCall instanceof HTMLButtonElement) askedCall.disabled = !mayCall
  const isIdle = state.incoming.length === 0 && !state.outgoing && !state.chat && !state.notice
  byId('idle-title', HTMLElement).textContent =
    people.total > 0 ? 'Call someone' : 'No one else is here yet'
  byId('idle', HTMLElement).hidden = !isIdle || !byId('asked', HTMLElement).hidden
}

/** The page was opened to call somebody. */
function askWhetherToCall() {
  const wanted = boot.call
  if (!wanted) return
  const card = byId('asked', HTMLElement)
  const forget = () => {
    card.hidden = true
    draw()
  }
  card.hidden = false
  byId('asked-call', HTMLButtonElement).addEventListener('click', () => {
    // Being one of several of a name may have become known meanwhile.
    call(people.find(wanted.id) ?? wanted)
  })
  byId('asked-close', HTMLButtonElement).addEventListener('click', forget)
}

byId('end', HTMLButtonElement).addEventListener('click', end)
byId('rename', HTMLButtonElement).addEventListener('click', () =>
  door.open(state.me?.name ?? boot.name, null, true),
)
byId('availability', HTMLSelectElement).addEventListener('change', ({ target }) => {
  const { value } = /** @type {HTMLSelectElement} */ (target)
  change('/buddies/availability', { availability: value })
})
byId('copy-address', HTMLButtonElement).addEventListener('click', () =>
  copyLink('/buddies', 'Anyone who opens it can be called here.'),
)
byId('copy-call', HTMLButtonElement).addEventListener('click', () =>
  copyLink(`/buddies/call/${state.me?.id}`, 'Anyone with it can call you while this page is open.'),
)
setInterval(() => cards.tick(state), 500)

// A call does not have to wait for it then.
loadLibrary(boot.library).catch(() => {})
if (boot.roster) people.start(boot.roster)
askWhetherToCall()
const given = new URLSearchParams(location.search).get('name')
// The name has been taken: whoever loads or sends the address again does not do so under another's name.
if (given !== null) history.replaceState(null, '', location.pathname)
if (given !== null) door.enter(given)
else if (boot.user !== null && boot.name !== '') door.enter(boot.name)
