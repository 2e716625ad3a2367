/**
 * @file The messages of the browser protocol. The same definitions in Rust: `src/signaling/message.rs`;
 * the conversation they make is told in `src/signaling/mod.rs`.
 */

/**
 * A client in a session.
 *
 * @typedef {object} ConnectionInfo
 * @property {string} connectionId
 * @property {number} creationTime Unix time, ms
 * @property {string} data the connection data of its token
 */

/** @typedef {'camera' | 'screen' | 'custom'} VideoType */

/**
 * What a connection publishes.
 *
 * @typedef {object} StreamInfo
 * @property {string} streamId
 * @property {string} connectionId
 * @property {number} creationTime Unix time, ms
 * @property {string} name
 * @property {boolean} hasAudio
 * @property {boolean} hasVideo
 * @property {VideoType} videoType
 * @property {number} width pixels; 0 without video
 * @property {number} height
 * @property {number | null} frameRate
 */

/**
 * @typedef {object} ArchiveInfo
 * @property {string} id
 * @property {string} name
 * @property {number} startedAt Unix time, ms
 */

/**
 * @typedef {object} NewStream
 * @property {string} name shown to others; at most 1000 characters
 * @property {boolean} hasAudio
 * @property {boolean} hasVideo
 * @property {VideoType} videoType
 * @property {number} width
 * @property {number} height
 * @property {number | null} frameRate
 */

/**
 * A change of one's own stream; absent means unchanged.
 *
 * @typedef {object} StreamUpdate
 * @property {boolean} [hasAudio]
 * @property {boolean} [hasVideo]
 * @property {number} [width]
 * @property {number} [height]
 */

/**
 * What a subscriber wants; absent means as it was.
 *
 * @typedef {object} Wanted
 * @property {boolean} [audio]
 * @property {boolean} [video]
 * @property {number} [height] pixels at which the video is shown; 0: as high as it comes
 * @property {number} [frameRate] frames per second at most; 0: as many as come
 */

/** @typedef {'audio' | 'video'} Kind */

/** @typedef {{ mid: string, streamId: string, kind: Kind }} PublishedTrack */

/** @typedef {{ slot: number, audioMid: string, videoMid: string }} Slot */

/**
 * @typedef {object} Offer
 * @property {number} generation counts the client's offers from 1
 * @property {string} sdp
 * @property {PublishedTrack[]} tracks
 * @property {Slot[]} slots
 */

/**
 * One subscriber's view of one stream, in a relayed session.
 *
 * @typedef {object} PairId
 * @property {string} to the other side's connection
 * @property {string} streamId
 * @property {number} pair chosen by who subscribes
 */

/** How a stream is wanted; `restart`: the way to it is broken. @typedef {Wanted & { restart?: boolean }} Want */

/** @typedef {{ type: 'offer' | 'answer', sdp: string }} Description */

/**
 * @typedef {object} Candidate
 * @property {string} candidate
 * @property {string | null} [sdpMid]
 * @property {number | null} [sdpMLineIndex]
 * @property {string | null} [usernameFragment]
 */

/** @typedef {{ connectionId: string, key: string, last: number }} Resume */

/**
 * Everything the client may send, told apart by `type`. On the wire each also has an `id`.
 *
 * @typedef {{ type: 'hello', versions: number[], sessionId: string, token: string, quiet?: boolean, resume?: Resume }
 *   | ({ type: 'publish' } & NewStream)
 *   | ({ type: 'offer' } & Offer)
 *   | ({ type: 'updateStream', streamId: string } & StreamUpdate)
 *   | { type: 'unpublish', streamId: string, mediaStopped?: boolean }
 *   | ({ type: 'subscribe', slot: number, streamId: string } & Wanted)
 *   | ({ type: 'updateSubscription', slot: number } & Wanted)
 *   | { type: 'unsubscribe', slot: number }
 *   | { type: 'peer.open', streamId: string }
 *   | ({ type: 'peer.want' } & PairId & Want)
 *   | ({ type: 'peer.sdp', description: Description } & PairId)
 *   | ({ type: 'peer.ice', candidates: Candidate[] } & PairId)
 *   | ({ type: 'peer.bye' } & PairId)
 *   | { type: 'peer.failed', streamId?: string }
 *   | { type: 'signal', signalType?: string, data?: unknown, to?: string }
 *   | { type: 'forceDisconnect', connectionId: string }
 *   | { type: 'forceUnpublish', streamId: string }
 *   | { type: 'forceMute', streamId: string }
 *   | { type: 'forceMuteAll', excludedStreamIds: string[] }
 *   | { type: 'disableForceMute' }
 *   | { type: 'ping' }
 *   | { type: 'ack', last: number }
 *   | { type: 'bye' }} ClientMessage
 */

/** @typedef {'subscriber' | 'publisher' | 'publisheronly' | 'moderator'} Role */

/**
 * The reply to the first hello.
 *
 * @typedef {object} Welcome
 * @property {number} version
 * @property {ConnectionInfo} connection
 * @property {string} key the secret to resume this connection by
 * @property {Role} role
 * @property {number} graceMs how long after the loss of its socket the connection may be resumed
 * @property {boolean} relayed media go from browser to browser, until `sessionRouted`
 * @property {ConnectionInfo[]} connections this one included; this one alone for a quiet client
 * @property {StreamInfo[]} streams
 * @property {ArchiveInfo[]} archives those recording now
 */

/** @typedef {{ code: number, name: string, message: string }} WireError */

/**
 * A reply: the request's id and its outcome.
 *
 * @typedef {{ re: number, error?: WireError } & Record<string, any>} Reply
 */

/**
 * @typedef {'clientDisconnected' | 'forceDisconnected' | 'networkDisconnected' | 'forceUnpublished'
 *   | 'mediaStopped' | 'serverStopping'} Reason
 */

/**
 * Everything the server may tell without being asked, told apart by `type`. On the wire each also has
 * `n`, which counts a connection's events from 1 over all its sockets.
 *
 * @typedef {{ type: 'connectionCreated', connection: ConnectionInfo }
 *   | { type: 'connectionDestroyed', connectionId: string, reason: Reason }
 *   | { type: 'streamCreated', stream: StreamInfo }
 *   | { type: 'streamDestroyed', streamId: string, reason: Reason }
 *   | { type: 'streamChanged', stream: StreamInfo }
 *   | { type: 'signal', signalType?: string | null, data?: any, from?: string | null }
 *   | ({ type: 'peer.want', from: string, streamId: string, pair: number } & Want)
 *   | { type: 'peer.sdp', from: string, streamId: string, pair: number, description: Description }
 *   | { type: 'peer.ice', from: string, streamId: string, pair: number, candidates: Candidate[] }
 *   | { type: 'peer.bye', from: string, streamId: string, pair: number }
 *   | { type: 'sessionRouted', reason: 'fallback' | 'recording' }
 *   | { type: 'streamMuted', streamId: string }
 *   | { type: 'muteForced', active: boolean }
 *   | { type: 'archiveStarted', archive: ArchiveInfo }
 *   | { type: 'archiveStopped', archive: ArchiveInfo }
 *   | { type: 'disconnected', reason: Reason }} ServerEvent
 */

export {}
