/** @file What the server hands to a page's script. The same shapes in Rust: `src/web/boot.rs`. */

/**
 * @typedef {object} RecordingStatus
 * @property {string} id
 * @property {number} elapsedMs counted by the server, whose clock may differ from ours
 */

/**
 * Who is in a room, and whether it is being recorded.
 *
 * @typedef {object} RoomStatus
 * @property {string[]} people
 * @property {RecordingStatus | null} recording
 */

/**
 * @typedef {object} RoomBoot
 * @property {string} apiKey
 * @property {string} sessionId
 * @property {string} token for `visitorName`
 * @property {string} csrf
 * @property {string} room the room's place in addresses
 * @property {string} roomName
 * @property {boolean} isHost
 * @property {string} visitorName empty at first
 * @property {string} guestLink
 * @property {RoomStatus} status
 * @property {string | null} library address of the video platform's library; null: the page has loaded it
 */

/**
 * The answer to joining.
 *
 * @typedef {object} Pass
 * @property {string} apiKey
 * @property {string} sessionId
 * @property {string} token
 * @property {RoomStatus} status
 */

/**
 * One stream of an archive. All times count from the archive's start.
 *
 * @typedef {object} PlayedStream
 * @property {string} id
 * @property {string} name
 * @property {'camera' | 'screen' | 'custom'} videoType
 * @property {string | null} url null when nothing was received of it
 * @property {number} joinedMs
 * @property {number} leftMs
 * @property {number} startsMs the archive's time at which the file's time is 0
 * @property {number} endsMs
 * @property {boolean} hasAudio
 * @property {boolean} hasVideo
 * @property {{ fromMs: number, toMs: number }[]} present when it was in the archive
 * @property {{ fromMs: number, toMs: number }[]} shown when the picture was on
 */

/**
 * @typedef {object} ArchiveBoot
 * @property {number} durationMs
 * @property {PlayedStream[]} streams
 */

/** How long after the page was loaded its token is used. Later, the script asks for another one. ms */
const TOKEN_NEW_MS = 10 * 60_000

/**
 * A function that returns the page's token once, while it is new.
 *
 * @param {string | null} token
 */
export function once(token) {
  let unused = token
  return () => {
    const taken = performance.now() < TOKEN_NEW_MS ? unused : null
    unused = null
    return taken
  }
}

/** @returns {any} one of the shapes above, as the page's template says */
export function readBoot() {
  return JSON.parse(document.getElementById('boot')?.textContent ?? '{}')
}
