/** @file The media of one session: its peer connection, and the requests that go with it. */

import { offeredCodecs } from './encodings.js'
import { OpenTokError } from './errors.js'
import { Peer } from './peer.js'

/** @import { ClientMessage, Kind, NewStream, StreamUpdate, Wanted } from './messages.js' */
/** @import { Outgoing } from './peer.js' */
/** @import { Signaling } from './signaling.js' */

/**
 * What is shown in a slot, until it is closed.
 *
 * @typedef {object} Subscription
 * @property {RTCRtpReceiver} audio
 * @property {RTCRtpReceiver} video
 * @property {(wanted: Wanted) => void} update
 * @property {() => void} close
 */

/** @typedef {{ streamId: string, senders: Partial<Record<Kind, RTCRtpSender>> }} Publication */

export class Media {
  #signaling
  #peer

  /**
   * @param {Signaling} signaling
   * @param {object} [options]
   * @param {boolean} [options.receives] false: this token may not subscribe
   * @param {(state: RTCPeerConnectionState) => void} [options.onState]
   * @param {() => RTCPeerConnection} [options.createConnection]
   */
  constructor(signaling, { receives = true, onState, createConnection } = {}) {
    this.#signaling = signaling
    this.#peer = new Peer({
      createConnection:
        createConnection ?? (() => new RTCPeerConnection({ bundlePolicy: 'max-bundle' })),
      sendOffer: async (makeOffer) => {
        const reply = await signaling.request(() => {
          const offer = makeOffer()
          return offer && { type: 'offer', ...offer }
        })
        return { generation: reply.generation, sdp: reply.sdp }
      },
      onState,
      receives,
      codecs: (kind) => offeredCodecs(kind, supportedCodecs(kind)),
      createStream: () => new MediaStream(),
    })
  }

  get state() {
    return this.#peer.state
  }

  /**
   * @param {NewStream} stream
   * @param {Outgoing[]} tracks
   * @returns {Promise<Publication>} once others can subscribe to it and media can flow
   */
  async publish(stream, tracks) {
    const { streamId } = await this.#signaling.request({ type: 'publish', ...stream })
    try {
      const transceivers = await this.#peer.publish(streamId, tracks)
      if (!(await this.#peer.connected())) throw noWay(1553)
      return {
        streamId,
        senders: { audio: transceivers.audio?.sender, video: transceivers.video?.sender },
      }
    } catch (error) {
      this.unpublish(streamId)
      throw error
    }
  }

  /**
   * @param {string} streamId
   * @param {StreamUpdate} change
   */
  updateStream(streamId, change) {
    this.#tell({ type: 'updateStream', streamId, ...change })
  }

  /** @param {string} streamId */
  unpublish(streamId) {
    this.#tell({ type: 'unpublish', streamId })
    this.#peer.unpublish(streamId)
  }

  /** The server has ended the stream already. @param {string} streamId */
  unpublished(streamId) {
    this.#peer.unpublish(streamId)
  }

  /**
   * @param {string} streamId
   * @param {Wanted} wanted
   * @returns {Promise<Subscription>} once the server has agreed
   */
  async subscribe(streamId, wanted) {
    const { slot, audio, video } = await this.#peer.takeSlot()
    try {
      await this.#signaling.request({ type: 'subscribe', slot, streamId, ...wanted })
    } catch (error) {
      this.#peer.freeSlot(slot)
      throw error
    }
    let open = true
    return {
      audio,
      video,
      update: (change) => {
        if (open) this.#tell({ type: 'updateSubscription', slot, ...change })
      },
      close: () => {
        if (!open) return
        open = false
        this.#tell({ type: 'unsubscribe', slot })
        this.#peer.freeSlot(slot)
      },
    }
  }

  /** @returns {Promise<boolean>} whether media can flow, as soon as that is known */
  connected() {
    return this.#peer.connected()
  }

  /** Looks for a new path through the network. */
  restart() {
    this.#peer.restart()
  }

  close() {
    this.#peer.close()
  }

  /** For requests whose refusal changes nothing. @param {ClientMessage} message */
  #tell(message) {
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
