/** @file An archive's page: the player, and the file to download as it comes into being. */

import { autoRefresh, keepTrue, replace } from '../ui/auto-refresh.js'
import { readBoot } from '../ui/boot.js'
import { confirmForms } from '../ui/confirm.js'
import { byId, setIcon } from '../ui/dom.js'
import { Player } from '../ui/player.js'
import { clockTime } from '../ui/time.js'
import { toast } from '../ui/toast.js'

/** @import { ArchiveBoot } from '../ui/boot.js' */

const RATES = [1, 1.25, 1.5, 2, 0.5]

/** Arrow keys go this far. ms */
const STEP_MS = 5000

/** @type {ArchiveBoot} */
const boot = readBoot()
const archiveId = document.getElementById('boot')?.dataset.archive
const wasPlayable = byId('facts', HTMLElement).dataset.playable === 'true'

confirmForms(document)
let stop = autoRefresh(byId('facts', HTMLElement))

keepTrue(
  (id) => id === undefined || id === archiveId,
  (fresh) => {
    const facts = fresh.getElementById('facts')
    if (!facts) return location.reload()
    // What has become watchable needs the whole page; a player that plays is left alone.
    if (facts.dataset.playable === 'true' && !wasPlayable) return location.reload()
    const next = replace(fresh, 'facts')
    if (!next) return
    stop()
    stop = autoRefresh(next)
  },
)

if (document.getElementById('player')) openPlayer()

const whole = document.getElementById('whole')
if (whole instanceof HTMLVideoElement) {
  const giveUp = () => sayWhyNot(whole)
  if (whole.error) giveUp()
  else whole.addEventListener('error', giveUp, { once: true })
}

/** The file may be on another server, and only this one knows why it does not come. @param {HTMLVideoElement} video */
async function sayWhyNot(video) {
  let why = "Couldn't load the file. Check your network."
  try {
    const answer = await fetch(video.src, {
      headers: { Accept: 'application/json', Range: 'bytes=0-0' },
      redirect: 'manual', // where it leads to may not be read by this page
    })
    if (answer.type === 'opaqueredirect') {
      why = "The video platform isn't sending the file, or this browser can't play it."
    } else if (!answer.ok) {
      const { cause, remedy } = await answer.json()
      why = `${cause} ${remedy}`
    } else why = "This browser can't play the file. Download it and play it in another app."
  } catch {
    // What was said before holds.
  }
  byId('unplayable-why', HTMLElement).textContent = why
  byId('unplayable', HTMLElement).hidden = false
  video.hidden = true
}

function openPlayer() {
  const player = new Player(byId('tiles', HTMLElement), boot.durationMs, boot.streams)
  const seek = byId('seek', HTMLInputElement)
  const start = byId('start', HTMLButtonElement)
  const play = byId('play', HTMLButtonElement)
  const mute = byId('mute', HTMLButtonElement)
  const speed = byId('speed', HTMLButtonElement)
  const volume = byId('volume', HTMLInputElement)
  const full = byId('fullscreen', HTMLButtonElement)

  const toggle = () => (player.isPlaying ? player.pause() : player.play())
  const drawTime = () => {
    const { positionMs, durationMs } = player
    seek.value = String(Math.round(positionMs))
    seek.style.setProperty('--done', `${(100 * positionMs) / Math.max(1, durationMs)}%`)
    seek.setAttribute('aria-valuetext', `${clockTime(positionMs)} of ${clockTime(durationMs)}`)
    byId('position', HTMLElement).textContent = clockTime(positionMs)
    byId('nobody', HTMLElement).hidden = player.present > 0
  }
  const draw = () => {
    start.hidden = player.isPlaying || player.positionMs > 0
    setIcon(
      play,
      player.isWaiting ? 'hourglass-split' : player.isPlaying ? 'pause-fill' : 'play-fill',
    )
    play.setAttribute('aria-label', player.isPlaying ? 'Pause' : 'Play')
    setIcon(mute, player.muted || player.volume === 0 ? 'volume-mute-fill' : 'volume-up-fill')
    mute.setAttribute('aria-pressed', String(player.muted))
    speed.textContent = `${player.rate}×`
    speed.setAttribute('aria-label', `Speed: ${player.rate}×`)
  }
  player.addEventListener('time', drawTime)
  player.addEventListener('change', draw)
  player.addEventListener(
    'trouble',
    () =>
      toast("This browser can't play part of the recording. The MP4 plays everywhere.", {
        ms: 12_000,
      }),
    { once: true },
  )

  start.addEventListener('click', () => player.play())
  play.addEventListener('click', toggle)
  byId('tiles', HTMLElement).addEventListener('click', (event) => {
    if (event.target !== start && !start.contains(/** @type {Node} */ (event.target))) toggle()
  })
  seek.addEventListener('input', () => {
    player.seek(Number(seek.value))
    draw()
  })
  mute.addEventListener('click', () => {
    player.muted = !player.muted
  })
  volume.addEventListener('input', () => {
    player.volume = Number(volume.value)
    player.muted = false
  })
  speed.addEventListener('click', () => {
    player.rate = RATES[(RATES.indexOf(player.rate) + 1) % RATES.length] ?? 1
  })
  const toggleFull = () =>
    document.fullscreenElement
      ? document.exitFullscreen()
      : byId('player', HTMLElement)
          .requestFullscreen?.()
          .catch(() => {})
  full.addEventListener('click', toggleFull)
  document.addEventListener('fullscreenchange', () => {
    setIcon(full, document.fullscreenElement ? 'fullscreen-exit' : 'fullscreen')
  })
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]'))
      return
    const on = event.target instanceof HTMLElement ? event.target : document.body
    if (on !== seek && on.closest('input, select, textarea')) return
    if (event.key === ' ' && on.closest('button, a')) return
    /** @type {Record<string, () => void>} */
    const actions = {
      k: toggle,
      ' ': toggle,
      m: () => mute.click(),
      f: toggleFull,
      ArrowLeft: () => player.seek(player.positionMs - STEP_MS),
      ArrowRight: () => player.seek(player.positionMs + STEP_MS),
    }
    const action = actions[event.key]
    if (!action) return
    event.preventDefault()
    action()
    draw()
  })
  drawTicks(seek)
  drawTime()
  draw()
}

/** Marks on the bar where people came and went. @param {HTMLInputElement} seek */
function drawTicks(seek) {
  const bar = seek.parentElement
  for (const { name, joinedMs, leftMs } of boot.streams) {
    for (const [ms, words] of /** @type {[number, string][]} */ ([
      [joinedMs, 'joined'],
      [leftMs, 'left'],
    ])) {
      if (ms < 1000 || ms > boot.durationMs - 1000) continue // at the ends they say nothing
      const tick = document.createElement('span')
      tick.className = 'tick'
      tick.title = `${name} ${words} at ${clockTime(ms)}`
      tick.style.left = `${(100 * ms) / boot.durationMs}%`
      bar?.append(tick)
    }
  }
}
