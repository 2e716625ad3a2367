/**
 * @file What the server tells of buddies, invitations and calls. The same shapes in Rust: `src/presence` (roster) and
 * `src/invitation/news.rs` (what concerns one user).
 */

/**
 * @typedef {object} Person
 * @property {string} id
 * @property {string} name
 * @property {number} [number] tells people of one name apart; absent for the first of them
 */

/** What others see a buddy do. @typedef {'available' | 'inviting' | 'chatting' | 'doNotDisturb'} BuddyState */

/** A line of the roster. @typedef {Person & { state: BuddyState }} Entry */

/**
 * What changed on the roster. `seq` counts from 1 without a gap; `total` counts ourselves, too.
 *
 * @typedef {object} Delta
 * @property {number} seq
 * @property {number} total
 * @property {Entry[]} joined
 * @property {Entry[]} changed
 * @property {string[]} left
 */

/**
 * A part of the roster, as it is when all deltas up to `seq` have been applied. `total` does not count ourselves.
 *
 * @typedef {{ seq: number, total: number, buddies: Entry[] }} Page
 */

/** @typedef {'available' | 'doNotDisturb' | 'invisible'} Availability */

/**
 * How an invitation ended.
 *
 * @typedef {'accepted' | 'declined' | 'tookAnother' | 'noAnswer' | 'busy' | 'inviting' | 'doNotDisturb' | 'gone'
 *   | 'cancelled' | 'inviterTookAnother' | 'inviterGone'} Outcome
 */

/** @typedef {{ invitation: string, to: Person, ringsForMs: number }} Outgoing */
/** @typedef {{ invitation: string, from: Person, ringsForMs: number }} Incoming */
/** @typedef {{ from: Person, atMs: number, count: number, outcome: Outcome }} MissedCall */
/** @typedef {'ended' | 'gone' | 'notConnected'} EndReason */

/**
 * A call of ours.
 *
 * @typedef {object} ChatView
 * @property {string} sessionId
 * @property {Person} with
 * @property {boolean} isInviter
 * @property {number} startedAtMs
 * @property {string | null} tab the connection that joins the call; null: any tab may
 * @property {{ state: 'asked' | 'agreed' | 'started', by: string }} [recording] absent while nobody wants one
 */

/**
 * All that concerns us now.
 *
 * @typedef {object} Mine
 * @property {Person} me
 * @property {Availability} availability
 * @property {Outgoing | null} outgoing
 * @property {Incoming[]} incoming the oldest first
 * @property {ChatView | null} chat
 * @property {MissedCall[]} missed the oldest first
 */

/**
 * @typedef {object} RecordingNews
 * @property {'recording'} type
 * @property {string} sessionId
 * @property {'asked' | 'agreed' | 'refused' | 'started' | 'stopped' | 'failed'} state
 * @property {string} by
 * @property {string | null} message
 */

/**
 * What concerns us, as it happens.
 *
 * @typedef {({ type: 'calling' } & Outgoing)
 *   | ({ type: 'ringing' } & Incoming)
 *   | { type: 'answered', invitation: string, outcome: Outcome }
 *   | { type: 'cancelled', invitation: string, outcome: Outcome }
 *   | { type: 'missed', call: MissedCall }
 *   | { type: 'missedSeen', from: string | null }
 *   | ({ type: 'chatStarted' } & ChatView)
 *   | { type: 'chatEnded', sessionId: string, with: Person, reason: EndReason, by: string }
 *   | { type: 'availability', availability: Availability }
 *   | RecordingNews} News
 */

/**
 * What the page's script starts from.
 *
 * @typedef {object} BuddiesBoot
 * @property {string} csrf
 * @property {string} apiKey
 * @property {string} sessionId of the presence session
 * @property {string | null} token for `name`; null: the visitor has to enter that name first
 * @property {string} name empty at first
 * @property {string | null} user
 * @property {{ id: string, name: string } | null} call whom this page was opened to call
 * @property {Page | null} roster
 * @property {boolean} isModerator
 * @property {string | null} library address of the library of another video platform, which calls are on
 */

export {}
