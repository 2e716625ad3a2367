/** @file A call: one session, its people and their tiles, from joining to leaving. */

import { Chat } from './chat.js'
import { confirmAction } from './confirm.js'
import { openDevice, troubleWith } from './devices.js'
import { byId } from './dom.js'
import { Problem } from './http.js'
import { preferences, savePreference } from './preferences.js'
import { watchQuality } from './quality.js'
import { Tile, Tiles } from './tiles.js'
import { toast } from './toast.js'

/** @import { Pass } from './boot.js' */
/** @import { Device, Trouble } from './devices.js' */
/** @import { Person } from './participants.js' */
/** @import { Joining } from './prejoin.js' */

/** A name is drawn anew at most this often; many people may come at once. */
const REDRAW_MS = 120

/** How the microphone and the camera are now. @typedef {{ mic: boolean, camera: boolean, sharing: boolean }} OwnState */

/** @typedef {{ mute(person: Person): void, remove(person: Person): void }} Host */

/**
 * @typedef {object} Around
 * @property {boolean} isHost may mute and remove others
 * @property {boolean} isPair a call of two: the other one fills the window, our own picture lies upon it
 * @property {boolean} isRemote calls are on another server than this page
 * @property {{ started(id: string): void, stopped(id: string): void, close(): void }} recording
 * @property {(people: Person[], host: Host | null) => void} people draws who is here; `host`: what one may do with them
 * @property {(state: OwnState) => void} changed the own microphone, camera or screen
 * @property {(reason: string) => void} ended with OpenTok's reason, or serverStopping
 * @property {(waiting: boolean) => void} reconnecting
 * @property {() => boolean} chatIsOpen
 * @property {(device: Device, trouble: Trouble) => void} [trouble] a device cannot be turned on; else a toast says so
 */

export class Call {
  #pass
  #name
  #around
  #session
  #publisher
  /** @type {any} */
  #screen = null
  /** A microphone opened during the call is ours to close. @type {MediaStreamTrack | null} */
  #ownMic = null
  /** @type {MediaStreamTrack | null} */
  #ear = null
  #tiles = new Tiles(byId('tiles', HTMLElement))
  #own = new Tile()
  /** @type {Map<string, { tile: Tile, stopQuality: () => void }>} by stream id */
  #shown = new Map()
  /** @type {Map<string, any>} connections in the order in which they came */
  #connections = new Map()
  /** @type {Map<string, any>} what others publish, in the order in which they began */
  #streams = new Map()
  #redraw = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined)
  #isOver = false
  /** @type {OwnState} */
  state = { mic: false, camera: false, sharing: false }
  chat

  /**
   * @param {Pass} pass
   * @param {Joining} joining
   * @param {Around} around
   */
  constructor(pass, joining, around) {
    this.#pass = pass
    this.#name = joining.name
    this.#around = around
    this.state = { mic: joining.mic !== null, camera: joining.camera !== null, sharing: false }
    const { OT } = /** @type {any} */ (globalThis)
    this.#session = OT.initSession(pass.apiKey, pass.sessionId)
    this.#session.off() // the same object comes back when somebody rejoins
    this.chat = new Chat(this.#session, {
      isOpen: around.chatIsOpen,
      nameOf: (connection) => describe(connection).name,
    })
    this.#listen()
    this.#own.name = 'You'
    this.#own.initials = joining.name
    this.#own.mirrored = true
    this.#publisher = this.#makePublisher(OT, joining)
    if (around.isPair) this.#tiles.inset = this.#own
    this.#tiles.add(this.#own)
    this.#drawOwn()
  }

  /**
   * @returns {Promise<void>} once others can see us
   * @throws {Problem}
   */
  async connect() {
    try {
      await new Promise((resolve, reject) => {
        this.#session.connect(this.#pass.token, (/** @type {any} */ error) =>
          error ? reject(error) : resolve(undefined),
        )
      })
    } catch (/** @type {any} */ error) {
      this.#close()
      throw problemOf(error, this.#around)
    }
    this.#session.publish(this.#publisher, (/** @type {any} */ error) => {
      if (!error) this.#soon()
      else if (!this.#isOver)
        toast(`Your camera and microphone aren't reaching others: ${error.message}`, { ms: 12_000 })
    })
  }

  /** Our connection's id; empty when there is none. @returns {string} */
  get connectionId() {
    return this.#session.connection?.connectionId ?? ''
  }

  get spotlight() {
    return this.#tiles.spotlight
  }

  set spotlight(on) {
    this.#tiles.spotlight = on
  }

  leave() {
    this.#session.disconnect()
  }

  /** @param {boolean} on */
  async setMic(on) {
    if (on && !isLive(this.#publisher.getAudioSource())) {
      try {
        this.#ownMic = await openDevice('mic', preferences().micId)
        await this.#publisher.setAudioSource(this.#ownMic)
      } catch (error) {
        return this.#complain('mic', error)
      }
    }
    this.#publisher.publishAudio(on)
    this.state.mic = on
    savePreference({ micOn: on })
    this.#changed()
  }

  /** @param {boolean} on */
  async setCamera(on) {
    const error = await new Promise((resolve) => this.#publisher.publishVideo(on, resolve))
    if (error && on) return this.#complain('camera', error)
    this.state.camera = on
    savePreference({ cameraOn: on })
    this.#changed()
  }

  /**
   * @param {'mic' | 'camera'} device
   * @param {string} id
   */
  async setDevice(device, id) {
    savePreference(device === 'mic' ? { micId: id } : { cameraId: id })
    try {
      if (device === 'camera') {
        await this.#publisher.setVideoSource(id)
        return
      }
      const track = await openDevice('mic', id)
      await this.#publisher.setAudioSource(track)
      this.#ownMic?.stop()
      this.#ownMic = track
      this.#publisher.publishAudio(this.state.mic)
    } catch (error) {
      this.#complain(device, error)
    }
  }

  /** A microphone to listen at while muted, so as to say so; never sent. @returns {MediaStreamTrack | null} */
  get mutedEar() {
    const track = this.#publisher.getAudioSource()
    if (this.state.mic || !isLive(track)) {
      this.#ear?.stop()
      this.#ear = null
    } else if (!this.#ear) {
      this.#ear = /** @type {MediaStreamTrack} */ (track).clone()
      this.#ear.enabled = true
    }
    return this.#ear
  }

  /**
   * @param {'mic' | 'camera'} device
   * @returns {string | undefined}
   */
  deviceId(device) {
    const track =
      device === 'mic' ? this.#publisher.getAudioSource() : this.#publisher.getVideoSource().track
    return track?.getSettings().deviceId
  }

  toggleScreen() {
    if (this.#screen) this.#stopScreen()
    else this.#startScreen()
  }

  /** Mutes everybody but the host; they can unmute themselves. */
  async muteAll() {
    const own = this.#publisher.stream
    try {
      await this.#session.forceMuteAll(own ? [own] : [])
    } catch (/** @type {any} */ error) {
      return toast(`Couldn't mute everyone: ${error.message}`)
    }
    toast('Everyone is muted. They can unmute themselves.')
    // Whoever joins later may speak.
    await this.#session.disableForceMute().catch(() => {})
  }

  #listen() {
    const on = (/** @type {string} */ name, /** @type {(event: any) => void} */ run) =>
      this.#session.on(name, run)
    on('connectionCreated', ({ connection }) => {
      this.#connections.set(connection.connectionId, connection)
      this.#soon()
    })
    on('connectionDestroyed', ({ connection, reason }) => {
      this.#connections.delete(connection.connectionId)
      const { name } = describe(connection)
      say(reason === 'forceDisconnected' ? `${name} was removed.` : `${name} left.`)
      this.#soon()
    })
    on('streamCreated', ({ stream }) => {
      this.#streams.set(stream.streamId, stream)
      this.#show(stream)
    })
    on('streamDestroyed', ({ stream }) => {
      this.#streams.delete(stream.streamId)
      this.#hide(stream)
    })
    on('streamPropertyChanged', ({ stream }) => {
      const shown = this.#shown.get(stream.streamId)
      if (shown) drawState(shown.tile, stream)
      this.#soon()
    })
    on('archiveStarted', ({ id }) => this.#around.recording.started(id))
    on('archiveStopped', ({ id }) => this.#around.recording.stopped(id))
    on('sessionReconnecting', () => this.#around.reconnecting(true))
    on('sessionReconnected', () => this.#around.reconnecting(false))
    on('sessionDisconnected', ({ reason, isServerStopping }) => {
      this.#close()
      this.#around.ended(isServerStopping ? 'serverStopping' : reason)
    })
  }

  /** @param {any} stream */
  #show(stream) {
    const { name } = describe(stream.connection)
    const isScreen = stream.videoType === 'screen'
    const tile = new Tile()
    tile.name = isScreen ? `${name}’s screen` : name
    tile.initials = name
    drawState(tile, stream)
    tile.screen = isScreen
    if (this.#around.isHost) {
      tile.moderate({
        mute: () => this.#mute(stream, name),
        remove: () => this.#removePerson(stream.connection, name),
      })
    }
    const subscriber = this.#session.subscribe(
      stream,
      undefined,
      {
        insertDefaultUI: false,
        fitMode: isScreen ? 'contain' : 'cover',
      },
      (/** @type {any} */ error) => {
        if (error && this.#shown.has(stream.streamId))
          tile.quality(0, `Can't receive video: ${error.message}`)
      },
    )
    if (!subscriber) return
    subscriber.on('videoElementCreated', (/** @type {any} */ event) => {
      tile.video = event.element
    })
    subscriber.on('audioLevelUpdated', (/** @type {any} */ event) =>
      this.#heard(tile, event.audioLevel),
    )
    subscriber.on('audioBlocked', () => {
      const { OT } = /** @type {any} */ (globalThis)
      toast('Your browser blocked the sound.', {
        button: { text: 'Start audio', run: () => OT.unblockAudio() },
        ms: 60_000,
      })
    })
    const stopQuality = watchQuality(subscriber, ({ bars, words }) => tile.quality(bars, words))
    this.#shown.set(stream.streamId, { tile, stopQuality })
    this.#tiles.add(tile, this.#own)
    say(isScreen ? `${name} shares a screen.` : `${name} joined.`)
    this.#soon()
  }

  /** @param {any} stream */
  #hide(stream) {
    const shown = this.#shown.get(stream.streamId)
    if (!shown) return
    this.#shown.delete(stream.streamId)
    shown.stopQuality()
    this.#tiles.remove(shown.tile)
    this.#soon()
  }

  /** @param {Tile} tile @param {number} level */
  #heard(tile, level) {
    const before = tile.spokeAt
    // A speaker who goes on speaking changes no layout.
    if (tile.heard(level) && this.#tiles.spotlight && performance.now() - before > 2000) {
      this.#tiles.arrange()
    }
  }

  /**
   * Always with both media, so that each can be turned on later without a new stream.
   *
   * @param {any} OT
   * @param {Joining} joining
   */
  #makePublisher(OT, { name, mic, camera }) {
    const { micId, cameraId } = preferences()
    const publisher = OT.initPublisher(undefined, {
      insertDefaultUI: false,
      name,
      audioSource: mic ?? micId,
      videoSource: camera ?? cameraId,
      ownsTracks: true,
      publishAudio: mic !== null,
      publishVideo: camera !== null,
      resolution: '1280x720',
    })
    publisher.on({
      videoElementCreated: (/** @type {any} */ event) => {
        this.#own.video = event.element
      },
      audioLevelUpdated: (/** @type {any} */ event) => {
        if (this.state.mic) this.#own.heard(event.audioLevel)
      },
      muteForced: () => {
        this.state.mic = false
        this.#changed()
        toast('The host muted you.', { button: { text: 'Unmute', run: () => this.setMic(true) } })
      },
      mediaStopped: (/** @type {any} */ { track }) => {
        if (track?.kind === 'audio') this.state.mic = false
        else this.state.camera = false
        this.#changed()
        const what = track?.kind === 'audio' ? 'microphone' : 'camera'
        if (!this.#isOver) toast(`Your ${what} stopped: it was unplugged or switched off.`)
      },
    })
    return publisher
  }

  #startScreen() {
    const { OT } = /** @type {any} */ (globalThis)
    const tile = new Tile()
    tile.name = 'Your screen'
    tile.initials = this.#name
    tile.hasVideo = true
    tile.screen = true
    const screen = OT.initPublisher(undefined, {
      insertDefaultUI: false,
      name: `${this.#name}’s screen`,
      videoSource: 'screen',
      audioSource: null,
      mirror: false,
    })
    this.#screen = screen
    const over = () => {
      if (this.#screen === screen) this.#screen = null
      this.state.sharing = this.#screen !== null
      this.#tiles.remove(tile)
      this.#changed()
    }
    screen.on({
      videoElementCreated: (/** @type {any} */ event) => {
        tile.video = event.element
      },
      accessDenied: over, // the person changed their mind
      streamDestroyed: over,
      mediaStopped: () => this.#stopScreen(),
    })
    screen.on('accessAllowed', () => {
      this.state.sharing = true
      this.#tiles.add(tile)
      this.#changed()
      this.#session.publish(screen, (/** @type {any} */ error) => {
        if (!error) return
        toast(`Couldn't share your screen: ${error.message}`)
        screen.destroy()
        over()
      })
    })
  }

  #stopScreen() {
    this.#screen?.destroy()
    this.#screen = null
  }

  /** @param {any} stream @param {string} name */
  async #mute(stream, name) {
    try {
      await this.#session.forceMuteStream(stream)
      toast(`${name} is muted.`)
    } catch (/** @type {any} */ error) {
      toast(`${name} was not muted: ${error.message}`)
    }
  }

  /** @param {any} connection @param {string} name */
  async #removePerson(connection, name) {
    const yes = await confirmAction({
      title: `Remove ${name} from the call?`,
      text: "They'll leave the call, but can rejoin with the link.",
      button: 'Remove',
    })
    if (!yes) return
    this.#session.forceDisconnect(connection, (/** @type {any} */ error) => {
      if (error) toast(`${name} was not removed: ${error.message}`)
    })
  }

  #changed() {
    this.#drawOwn()
    this.#soon()
    this.#around.changed(this.state)
  }

  #drawOwn() {
    this.#own.hasVideo = this.state.camera
    this.#own.hasAudio = this.state.mic
  }

  /** Draws the people soon, once for many changes. */
  #soon() {
    this.#redraw ??= setTimeout(() => {
      this.#redraw = undefined
      if (!this.#isOver) this.#drawPeople()
    }, REDRAW_MS)
  }

  #drawPeople() {
    const people = [...this.#connections.values()].map((connection) => this.#person(connection))
    const host = {
      mute: (/** @type {Person} */ person) => this.#mute(person.stream, person.name),
      remove: (/** @type {Person} */ person) => this.#removePerson(person.connection, person.name),
    }
    this.#around.people(people, this.#around.isHost ? host : null)
  }

  /** @param {any} connection @returns {Person} */
  #person(connection) {
    const { name, isHost } = describe(connection)
    const isSelf = connection.connectionId === this.#session.connection?.connectionId
    const stream = isSelf
      ? this.#publisher.stream
      : [...this.#streams.values()].find(
          (each) =>
            each.videoType !== 'screen' && each.connection.connectionId === connection.connectionId,
        )
    return { connection, name: isSelf ? this.#name : name, isSelf, isHost, stream: stream ?? null }
  }

  /**
   * @param {'mic' | 'camera'} device
   * @param {unknown} error
   */
  async #complain(device, error) {
    const trouble = await troubleWith(device, error, true)
    if (this.#around.trouble) this.#around.trouble(device, trouble)
    else toast(`${trouble.cause} ${trouble.remedy}`, { ms: 12_000 })
    this.#changed()
  }

  #close() {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#redraw)
    for (const { stopQuality } of this.#shown.values()) stopQuality()
    this.#shown.clear()
    this.#stopScreen()
    this.#publisher.destroy()
    this.#ownMic?.stop()
    this.#ear?.stop()
    this.#tiles.close()
    this.#session.off()
    this.#around.recording.close()
  }
}

/** @param {Tile} tile @param {any} stream */
function drawState(tile, stream) {
  tile.hasVideo = stream.hasVideo
  if (!tile.isScreen) tile.hasAudio = stream.hasAudio
}

/**
 * What the server wrote into the token of a connection.
 *
 * @param {any} connection
 * @returns {{ name: string, isHost: boolean }}
 */
function describe(connection) {
  try {
    const data = JSON.parse(connection.data)
    if (typeof data.name === 'string' && data.name !== '') {
      return { name: data.name, isHost: data.host === true }
    }
  } catch {
    // A page of somebody else's wrote it.
  }
  return { name: 'Someone', isHost: false }
}

/** @param {MediaStreamTrack | null} track */
function isLive(track) {
  return track !== null && track.readyState === 'live'
}

/** @param {string} text to screen readers */
function say(text) {
  byId('announce', HTMLElement).textContent = text
}

/** @param {any} error the library's @param {Around} around */
function problemOf(error, { isPair, isRemote }) {
  switch (error.code) {
    case 1004:
      return new Problem(
        403,
        "You're not allowed into this call any more.",
        'Load the page again, then join.',
      )
    case 1005:
      return isPair
        ? new Problem(404, 'This call is over.', 'Call again.')
        : new Problem(404, 'Room not found.', 'Ask for a new link.')
    case 1027:
      return new Problem(409, 'This room is full.', 'Try again when someone has left.')
    default:
      return new Problem(
        0,
        isRemote ? 'The video platform cannot be reached.' : 'The server cannot be reached.',
        `Check your network, then try again. (${error.message})`,
      )
  }
}
