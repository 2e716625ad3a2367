/** @file A room's page: prejoin, the call, and how it ended. */

import { readBoot } from '../ui/boot.js'
import { Call } from '../ui/call.js'
import { copyLink } from '../ui/copy.js'
import { listDevices, openDevice } from '../ui/devices.js'
import { byId, find, icon, setIcon } from '../ui/dom.js'
import { listenForKeys } from '../ui/keys.js'
import { watchLevel } from '../ui/level.js'
import { get, post } from '../ui/post.js'
import { drawToggle, Prejoin } from '../ui/prejoin.js'
import { Recording } from '../ui/recording.js'
import { choices, remember } from '../ui/remembered.js'
import { clockTime } from '../ui/time.js'
import { toast } from '../ui/toast.js'

/** @import { Pass, RoomBoot } from '../ui/boot.js' */
/** @import { OwnState } from '../ui/call.js' */
/** @import { Problem } from '../ui/post.js' */
/** @import { Joining } from '../ui/prejoin.js' */

/** After a lost server: the first try, and the longest pause between tries. */
const RETRY_FIRST_MS = 1000
const RETRY_LONGEST_MS = 15_000

/** Talking while muted is mentioned again after this time at the earliest. */
const MUTED_HINT_MS = 30_000

/** @type {RoomBoot} */
const boot = readBoot()
const recording = new Recording(boot)
const prejoin = new Prejoin(boot, (joining) =>
  join(joining).catch((error) => {
    backToPrejoin()
    throw error
  }),
)

/** @type {Call | null} */
let call = null
/** @type {Joining} how to come back */
let last = { name: '', mic: null, camera: null }
/** @type {OwnState} */
let lastState = { mic: false, camera: false, sharing: false }
/** Ends what runs only during a call. */
let during = new AbortController()

/**
 * @param {Joining} joining
 * @throws {Problem} and the page is to show something else than the call
 */
async function join(joining) {
  const path = boot.isHost ? `/rooms/${boot.room}/host/join` : `/rooms/${boot.room}/join`
  /** @type {Pass} */
  const pass = await post(path, boot.csrf, { name: joining.name })
  show('call')
  const next = new Call(boot, pass, joining, {
    recording,
    changed: drawControls,
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
  drawControls(next.state)
  find(byId('call', HTMLElement), 'h1', HTMLElement).focus({ preventScroll: true })
}

function begin() {
  during = new AbortController()
  const { signal } = during
  const since = performance.now()
  every(1000, signal, () => {
    byId('call-time', HTMLElement).textContent = clockTime(performance.now() - since)
  })
  listenForKeys(
    {
      m: () => toggleMic(),
      v: () => toggleCamera(),
      d: () => byId('share-button', HTMLButtonElement).hidden || call?.toggleScreen(),
      c: () => toggleSide('chat'),
      p: () => toggleSide('people'),
      w: () => toggleLayout(),
      '?': () => help(),
    },
    {
      hold: () => {
        if (!call || call.state.mic) return false
        call.setMic(true)
        return true
      },
      release: () => call?.setMic(false),
    },
    signal,
  )
  window.addEventListener('pagehide', () => call?.leave(), { signal })
  hintWhileMuted(signal)
  find(byId('banner', HTMLElement), 'span', HTMLElement).textContent = ''
  byId('banner', HTMLElement).hidden = true
}

/** @param {string} reason OpenTok's */
function ended(reason) {
  lastState = call?.state ?? lastState
  call = null
  during.abort()
  for (const side of ['chat', 'people']) setSide(side, false)
  show('ended')
  const archive = byId('ended-archive', HTMLAnchorElement)
  archive.hidden = !boot.isHost || recording.last === null
  archive.href = `/archives/${recording.last}`
  switch (reason) {
    case 'forceDisconnected':
      drawEnd(
        'person-x',
        'You were removed from the call.',
        'The host ended the call for you. If that was a mistake, ask them, then rejoin.',
      )
      break
    case 'serverStopping':
      drawEnd(
        'arrow-clockwise',
        'The server is restarting.',
        'We will bring you back as soon as it answers.',
      )
      comeBack()
      break
    case 'networkDisconnected':
      drawEnd(
        'wifi-off',
        'The connection was lost.',
        'We will bring you back as soon as the server can be reached. Check your network meanwhile.',
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
  const { micId, cameraId } = choices()
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
  prejoin.tell({ cause: message, remedy: remedy ?? '', button: null })
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

/** @param {OwnState} state */
function drawControls({ mic, camera, sharing }) {
  drawToggle(byId('mic-button', HTMLButtonElement), mic, 'microphone', 'mic', ['Unmute', 'Mute'])
  drawToggle(byId('camera-button', HTMLButtonElement), camera, 'camera', 'camera-video')
  const share = byId('share-button', HTMLButtonElement)
  share.hidden = !navigator.mediaDevices?.getDisplayMedia
  share.setAttribute('aria-pressed', String(sharing))
  share.setAttribute('aria-label', sharing ? 'Stop sharing your screen' : 'Share your screen')
  share.classList.toggle('on', sharing)
  find(share, '.text', HTMLElement).textContent = sharing ? 'Stop sharing' : 'Share'
}

function toggleMic() {
  call?.setMic(!call.state.mic)
}

function toggleCamera() {
  call?.setCamera(!call.state.camera)
}

function toggleLayout() {
  if (!call) return
  call.spotlight = !call.spotlight
  const button = byId('layout-button', HTMLButtonElement)
  setIcon(button, call.spotlight ? 'grid-1x2' : 'grid')
  button.setAttribute('aria-pressed', String(call.spotlight))
}

/** @param {'chat' | 'people'} side */
function toggleSide(side) {
  const opens = byId(side, HTMLElement).hidden === true
  setSide(side === 'chat' ? 'people' : 'chat', false)
  setSide(side, opens)
  if (!opens) return
  if (side === 'chat') {
    call?.chat.opened()
    find(byId('chat', HTMLElement), 'input', HTMLInputElement).focus()
  }
}

/** @param {string} side @param {boolean} open */
function setSide(side, open) {
  const panel = byId(side, HTMLElement)
  const button = byId(`${side}-button`, HTMLButtonElement)
  const hadFocus = panel.contains(document.activeElement)
  panel.hidden = !open
  button.setAttribute('aria-pressed', String(open))
  button.classList.toggle('on', open)
  if (!open && hadFocus) button.focus()
}

function help() {
  const dialog = byId('help-dialog', HTMLDialogElement)
  if (!dialog.open) dialog.showModal()
}

/** @param {AbortSignal} signal */
function hintWhileMuted(signal) {
  /** @type {MediaStreamTrack | null} */
  let ear = null
  let stop = () => {}
  let loud = 0
  let told = -MUTED_HINT_MS
  every(500, signal, () => {
    const source = call?.mutedEar ?? null
    if (source === ear) return
    stop()
    ear = source
    loud = 0
    stop = source
      ? watchLevel(source, (level) => {
          loud = level > 0.62 ? loud + 1 : 0
          if (loud < 8 || performance.now() - told < MUTED_HINT_MS) return
          told = performance.now()
          toast('You are muted.', { button: { text: 'Unmute', run: () => call?.setMic(true) } })
        })
      : () => {}
  })
  signal.addEventListener('abort', () => stop())
}

/** @param {number} ms @param {AbortSignal} signal @param {() => void} run */
function every(ms, signal, run) {
  run()
  const timer = setInterval(run, ms)
  signal.addEventListener('abort', () => clearInterval(timer))
}

/** @param {'mic' | 'camera'} device */
function deviceMenu(device) {
  const menu = byId(`${device}-menu`, HTMLDetailsElement)
  menu.addEventListener('toggle', async () => {
    if (!menu.open) return
    const devices = await listDevices(device)
    const popup = find(menu, '.popup', HTMLElement)
    popup.replaceChildren()
    if (devices.length === 0) {
      const words = document.createElement('p')
      words.textContent =
        device === 'mic'
          ? 'Turn on the microphone to choose one.'
          : 'Turn on the camera to choose one.'
      popup.append(words)
    }
    const used = call?.deviceId(device)
    for (const { deviceId, label } of devices) {
      const button = document.createElement('button')
      button.type = 'button'
      button.setAttribute('aria-pressed', String(deviceId === used))
      const mark = icon('check-lg')
      if (deviceId !== used) mark.style.visibility = 'hidden'
      button.append(mark, label || (device === 'mic' ? 'Microphone' : 'Camera'))
      button.addEventListener('click', () => {
        menu.open = false
        call?.setDevice(device, deviceId)
      })
      popup.append(button)
    }
  })
}

deviceMenu('mic')
deviceMenu('camera')
byId('mic-button', HTMLButtonElement).addEventListener('click', toggleMic)
byId('camera-button', HTMLButtonElement).addEventListener('click', toggleCamera)
byId('share-button', HTMLButtonElement).addEventListener('click', () => call?.toggleScreen())
byId('chat-button', HTMLButtonElement).addEventListener('click', () => toggleSide('chat'))
byId('people-button', HTMLButtonElement).addEventListener('click', () => toggleSide('people'))
byId('layout-button', HTMLButtonElement).addEventListener('click', toggleLayout)
byId('leave', HTMLButtonElement).addEventListener('click', () => call?.leave())
byId('rejoin', HTMLButtonElement).addEventListener('click', rejoin)
byId('help', HTMLButtonElement).addEventListener('click', help)
byId('copy-link', HTMLButtonElement).addEventListener('click', () => copyLink(boot.guestLink))
byId('alone-copy', HTMLButtonElement).addEventListener('click', () => copyLink(boot.guestLink))
document.getElementById('mute-all')?.addEventListener('click', () => call?.muteAll())
for (const side of ['chat', 'people']) {
  find(byId(side, HTMLElement), '[data-close]', HTMLButtonElement).addEventListener('click', () =>
    setSide(side, false),
  )
}

const useKeys = byId('use-keys', HTMLInputElement)
useKeys.checked = !choices().noKeys
useKeys.addEventListener('change', () => remember({ noKeys: !useKeys.checked }))

// An open menu closes when somebody clicks elsewhere or presses Escape.
document.addEventListener('click', (event) => closeMenus(event.target))
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') closeMenus(null)
})

/** @param {EventTarget | null} target */
function closeMenus(target) {
  for (const menu of document.querySelectorAll('.stage details[open]')) {
    if (!(target instanceof Node) || !menu.contains(target)) menu.removeAttribute('open')
  }
}
