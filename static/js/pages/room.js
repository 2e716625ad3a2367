/** @file A room's page: prejoin, the call, and how it ended. */

import { once, readBoot } from '../ui/boot.js'
import { Call } from '../ui/call.js'
import { CallBar } from '../ui/call-bar.js'
import { copyLink } from '../ui/copy.js'
import { openDevice } from '../ui/devices.js'
import { byId, find, icon, setIcon } from '../ui/dom.js'
import { get, post } from '../ui/http.js'
import { repeat } from '../ui/interval.js'
import { loadLibrary } from '../ui/library.js'
import { renderParticipants } from '../ui/participants.js'
import { preferences } from '../ui/preferences.js'
import { Prejoin } from '../ui/prejoin.js'
import { Recording } from '../ui/recording.js'
import { clockTime } from '../ui/time.js'

/** @import { Pass, RoomBoot } from '../ui/boot.js' */
/** @import { OwnState } from '../ui/call.js' */
/** @import { Problem } from '../ui/http.js' */
/** @import { Joining } from '../ui/prejoin.js' */

/** After a lost server: the first try, and the longest pause between tries. */
const RETRY_FIRST_MS = 1000
const RETRY_LONGEST_MS = 15_000

/** @type {RoomBoot} */
const boot = readBoot()
const recording = new Recording(boot)
const prejoin = new Prejoin(boot, (joining) =>
  join(joining).catch((error) => {
    backToPrejoin()
    throw error
  }),
)

// Most likely it is there before anybody joins; who joins is told if it is not.
loadLibrary(boot.library).catch(() => {})

/** @type {Call | null} */
let call = null
const bar = new CallBar(() => call)
/** @type {Joining} how to come back */
let last = { name: '', mic: null, camera: null }
/** @type {OwnState} */
let lastState = { mic: false, camera: false, sharing: false }
/** Ends what runs only during a call. */
let during = new AbortController()

const pageToken = once(boot.token)

/**
 * What it takes to connect under a name: the page has it for the name used last, else the server is asked.
 *
 * @param {string} name
 * @returns {Promise<Pass>}
 * @throws {Problem}
 */
async function admission(name) {
  const token = name !== '' && name === boot.visitorName ? pageToken() : null
  const { apiKey, sessionId } = boot
  if (token) return { apiKey, sessionId, token, status: prejoin.status }
  const path = boot.isHost ? `/rooms/${boot.room}/host/join` : `/rooms/${boot.room}/join`
  return post(path, boot.csrf, { name })
}

/**
 * @param {Joining} joining
 * @throws {Problem} and the page is to show something else than the call
 */
async function join(joining) {
  const pass = await admission(joining.name)
  recording.letIn(pass.status)
  await loadLibrary(boot.library)
  show('call')
  const next = new Call(pass, joining, {
    isHost: boot.isHost,
    isPair: false,
    isRemote: boot.library !== null,
    recording,
    changed: (state) => bar.draw(state),
    people: (people, host) => {
      renderParticipants(people, host)
      byId('alone', HTMLElement).hidden = people.length > 1
    },
    ended,
    reconnecting: (waiting) => {
      const banner = byId('banner', HTMLElement)
      banner.hidden = !waiting
      find(banner, 'span', HTMLElement).textContent = 'The connection was lost. Reconnecting…'
    },
    chatIsOpen: () => !byId('chat', HTMLElement).hidden,
  })
  prejoin.close()
  await next.connect()
  last = joining
  call = next
  begin()
  bar.draw(next.state)
  find(byId('call', HTMLElement), 'h1', HTMLElement).focus({ preventScroll: true })
}

function begin() {
  during = new AbortController()
  const { signal } = during
  const since = performance.now()
  repeat(1000, signal, () => {
    byId('call-time', HTMLElement).textContent = clockTime(performance.now() - since)
  })
  bar.begin(signal, { p: () => bar.toggleSide('people'), w: () => toggleLayout() })
  window.addEventListener('pagehide', () => call?.leave(), { signal })
  find(byId('banner', HTMLElement), 'span', HTMLElement).textContent = ''
  byId('banner', HTMLElement).hidden = true
}

/** @param {string} reason OpenTok's */
function ended(reason) {
  lastState = call?.state ?? lastState
  call = null
  during.abort()
  show('ended')
  const archive = byId('ended-archive', HTMLAnchorElement)
  archive.hidden = !boot.isHost || recording.last === null
  archive.href = `/archives/${recording.last}`
  switch (reason) {
    case 'forceDisconnected':
      drawEnd(
        'person-x',
        'You were removed from the call.',
        'The host removed you. If that was a mistake, ask them before you rejoin.',
      )
      break
    case 'serverStopping':
      drawEnd(
        'arrow-clockwise',
        'The server is restarting.',
        "You'll rejoin automatically when it's back.",
      )
      comeBack()
      break
    case 'networkDisconnected':
      drawEnd(
        'wifi-off',
        'The connection was lost.',
        "You'll rejoin automatically when the server is reachable. Check your network.",
      )
      comeBack()
      break
    default:
      drawEnd('cup-hot', 'You left the call.', 'You can come back at any time.')
  }
}

/** @param {string} iconName @param {string} title @param {string} text */
function drawEnd(iconName, title, text) {
  byId('ended-icon', HTMLElement).replaceChildren(icon(iconName))
  byId('ended-text', HTMLElement).textContent = text
  const heading = byId('ended-title', HTMLElement)
  heading.textContent = title
  heading.focus({ preventScroll: true })
}

async function rejoin() {
  during.abort() // whoever clicks does not wait for the automatic
  try {
    await joinAgain()
  } catch (/** @type {any} */ error) {
    sorry(error)
  }
}

/** Joins with what was on when the call ended. */
async function joinAgain() {
  const button = byId('rejoin', HTMLButtonElement)
  button.disabled = true
  const { micId, cameraId } = preferences()
  const mic = lastState.mic ? await openDevice('mic', micId).catch(() => null) : null
  const camera = lastState.camera ? await openDevice('camera', cameraId).catch(() => null) : null
  try {
    await join({ name: last.name, mic, camera })
  } catch (error) {
    mic?.stop()
    camera?.stop()
    throw error
  } finally {
    button.disabled = false
  }
}

function backToPrejoin() {
  show('prejoin')
  prejoin.open()
}

/** @param {Problem} problem why nobody can join now */
function sorry({ message, remedy }) {
  backToPrejoin()
  prejoin.showProblem({ cause: message, remedy: remedy ?? '', button: null })
}

/** Tries again and again, ever more slowly, until the server lets us in or says that it never will. */
function comeBack() {
  during = new AbortController()
  const { signal } = during
  let pause = RETRY_FIRST_MS
  const attempt = async () => {
    if (signal.aborted) return
    try {
      await get(`/rooms/${boot.room}/status`)
      if (!signal.aborted) await joinAgain()
    } catch (/** @type {any} */ error) {
      if (signal.aborted) return
      if (error.status >= 400 && error.status < 500) return sorry(error)
      show('ended')
      // Not all at once, when the server is back.
      pause = Math.min(pause * 1.6, RETRY_LONGEST_MS)
      setTimeout(attempt, pause * (0.7 + 0.6 * Math.random()))
    }
  }
  setTimeout(attempt, pause)
}

/** @param {'prejoin' | 'call' | 'ended'} view */
function show(view) {
  byId('main', HTMLElement).hidden = view !== 'prejoin'
  byId('call', HTMLElement).hidden = view !== 'call'
  byId('ended', HTMLElement).hidden = view !== 'ended'
  document.body.classList.toggle('in-call', view === 'call')
}

function toggleLayout() {
  if (!call) return
  call.spotlight = !call.spotlight
  const button = byId('layout-button', HTMLButtonElement)
  setIcon(button, call.spotlight ? 'grid-1x2' : 'grid')
  button.setAttribute('aria-pressed', String(call.spotlight))
}

byId('layout-button', HTMLButtonElement).addEventListener('click', toggleLayout)
byId('leave', HTMLButtonElement).addEventListener('click', () => call?.leave())
byId('rejoin', HTMLButtonElement).addEventListener('click', rejoin)
byId('copy-link', HTMLButtonElement).addEventListener('click', () => copyLink(boot.guestLink))
byId('alone-copy', HTMLButtonElement).addEventListener('click', () => copyLink(boot.guestLink))
document.getElementById('mute-all')?.addEventListener('click', () => call?.muteAll())
