/**
 * @file The media of one session: published and subscribed to through the server or, while the session is relayed, from
 * browser to browser.
 */

import { offeredCodecs } from './encodings.js'
import { OpenTokError } from './errors.js'
import { log } from './log.js'
import { P2pNegotiator } from './p2p/negotiation.js'
import { Peer } from './peer.js'
import { Publication } from './publication.js'
import { Subscription } from './subscription.js'

/** @import { ClientMessage, Kind, NewStream, StreamUpdate, Wanted } from './messages.js' */
/** @import { Outgoing } from './peer.js' */
/** @import { PeerEvent } from './p2p/negotiation.js' */
/** @import { Signaling } from './signaling.js' */

/** How long subscribers have to change over to the server before they get nothing any more from here. */
const OVERLAP_MS = 8000

/**
 * @typedef {object} Options
 * @property {boolean} [receives] false: this token may not subscribe
 * @property {boolean} [relayed] media go from browser to browser
 * @property {string} [own] this client's connection
 * @property {() => RTCPeerConnection} [createConnection]
 */

export class Media {
  #signaling
  #peer
  #p2p
  #relayed
  /** @type {Map<string, Publication>} */
  #publications = new Map()
  /** @type {Set<Subscription>} */
  #subscriptions = new Set()
  #closed = false

  /**
   * @param {Signaling} signaling
   * @param {Options} [options]
   */
  constructor(signaling, { receives = true, relayed = false, own = '', createConnection } = {}) {
    this.#signaling = signaling
    this.#relayed = relayed
    const create = createConnection ?? (() => new RTCPeerConnection({ bundlePolicy: 'max-bundle' }))
    const createStream = () => new MediaStream()
    this.#peer = new Peer({
      createConnection: create,
      sendOffer: async (makeOffer) => {
        const reply = await signaling.request(() => {
          const offer = makeOffer()
          return offer && { type: 'offer', ...offer }
        })
        return { generation: reply.generation, sdp: reply.sdp }
      },
      onState: (state) => {
        for (const subscription of this.#subscriptions) {
          if (!this.#relayed) subscription.stateChanged(state)
        }
      },
      receives,
      codecs: (kind) => offeredCodecs(kind, supportedCodecs(kind)),
      createStream,
    })
    this.#p2p = new P2pNegotiator({
      own,
      request: (message) => signaling.request(message),
      createConnection: create,
      createStream,
      reachable: () => signaling.state === 'open',
      failed: (streamId) => this.#send({ type: 'peer.failed', streamId }),
    })
  }

  /** Whether media can flow as they should. */
  get isConnected() {
    return this.#relayed ? this.#p2p.isConnected : this.#peer.state === 'connected'
  }

  /**
   * @param {NewStream} stream
   * @param {Outgoing[]} tracks
   * @returns {Promise<Publication>} once others can subscribe to it and media can flow
   */
  async publish(stream, tracks) {
    const { streamId } = await this.#signaling.request({ type: 'publish', ...stream })
    const ways = { peer: this.#peer, p2p: this.#p2p }
    const publication = new Publication(streamId, tracks, ways)
    try {
      if (!(await this.#open(publication))) {
        await publication.route()
        if (!(await this.#peer.connected())) throw noWay(1553)
      }
      if (this.#closed) throw noWay(1553)
      return publication
    } catch (error) {
      this.unpublish(streamId)
      publication.end()
      throw error
    }
  }

  /**
   * Lets others ask for a stream.
   *
   * @param {Publication} publication
   * @returns {Promise<boolean>} false: they have to get it through the server
   */
  async #open(publication) {
    const { streamId } = publication
    if (this.#relayed) {
      publication.useP2p()
      this.#publications.set(streamId, publication)
      try {
        await this.#signaling.request({ type: 'peer.open', streamId })
        return true
      } catch (error) {
        // Refused because the session has just been routed.
        if (this.#relayed) throw error
        return false
      }
    }
    this.#publications.set(streamId, publication)
    return false
  }

  /**
   * @param {string} streamId
   * @param {StreamUpdate} change
   */
  updateStream(streamId, change) {
    this.#send({ type: 'updateStream', streamId, ...change })
  }

  /** @param {string} streamId @param {boolean} mediaStopped what it showed ended by itself */
  unpublish(streamId, mediaStopped = false) {
    this.#send({ type: 'unpublish', streamId, mediaStopped })
    this.unpublished(streamId)
  }

  /** The server has ended the stream already. @param {string} streamId */
  unpublished(streamId) {
    this.#publications.get(streamId)?.end()
    this.#publications.delete(streamId)
  }

  /**
   * @param {{ streamId: string, publisher: string }} stream
   * @param {Wanted} wanted
   * @param {(state: RTCPeerConnectionState) => void} [onState]
   * @returns {Promise<Subscription>} once there are tracks that media can come out of
   */
  async subscribe({ streamId, publisher }, wanted, onState = () => {}) {
    const subscription = new Subscription(streamId, wanted, onState, {
      peer: this.#peer,
      p2p: this.#p2p,
      request: (message) => this.#signaling.request(message),
    })
    this.#subscriptions.add(subscription)
    const end = subscription.close.bind(subscription)
    subscription.close = () => {
      this.#subscriptions.delete(subscription)
      end()
    }
    try {
      await this.#begin(subscription, publisher)
    } catch (error) {
      subscription.close()
      throw error
    }
    return subscription
  }

  /**
   * @param {Subscription} subscription
   * @param {string} publisher
   */
  async #begin(subscription, publisher) {
    if (this.#relayed) {
      try {
        await subscription.useP2p(publisher)
        return
      } catch (error) {
        // The session was routed before the publisher offered.
        if (this.#relayed) throw error
      }
    }
    await subscription.route()
  }

  /** From another browser. @param {PeerEvent} event */
  handle(event) {
    if (this.#relayed) this.#p2p.handle(event)
  }

  /** Somebody has left the session. @param {string} connectionId */
  left(connectionId) {
    this.#p2p.left(connectionId)
  }

  /** Media go through the server from now on: everything changes over, and is shown meanwhile as it was. */
  route() {
    if (!this.#relayed) return
    this.#relayed = false
    const publications = [...this.#publications.values()]
    for (const publication of publications) {
      publication.route().catch((error) => {
        if (!this.#closed) log.warn(`A stream could not be sent to the server: ${error?.message}`)
      })
    }
    setTimeout(() => this.#p2p.close(), OVERLAP_MS)
    for (const subscription of this.#subscriptions) {
      if (subscription.audio) subscription.route().catch(() => subscription.stateChanged('failed'))
      else subscription.abandon()
    }
  }

  /** Looks for a new path through the network. */
  restart() {
    if (this.#relayed) this.#p2p.restart()
    else this.#peer.restart()
  }

  close() {
    if (this.#closed) return
    this.#closed = true
    for (const subscription of [...this.#subscriptions]) subscription.close()
    this.#p2p.close()
    this.#peer.close()
  }

  /** For requests whose refusal changes nothing. @param {ClientMessage} message */
  #send(message) {
    this.#signaling.request(message).catch(() => {})
  }
}

/** @param {number} code 1553 for a publisher, 1554 for a subscriber */
export function noWay(code) {
  return new OpenTokError(
    code,
    'OT_ICE_WORKFLOW_FAILED',
    'No way was found for media between this browser and the server.',
  )
}

/** @param {Kind} kind */
function supportedCodecs(kind) {
  return RTCRtpReceiver.getCapabilities?.(kind)?.codecs ?? []
}
