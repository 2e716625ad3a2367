/** @file What this client publishes, and what the server tells about it. */

import { later, OTEvent } from './events.js'

/** @import { Media } from './media.js' */
/** @import { Members } from './members.js' */
/** @import { ServerEvent } from './messages.js' */
/** @import { Publisher } from './publisher.js' */

/** What a moderator does to a stream. @typedef {Extract<ServerEvent, { type: 'streamMuted' | 'streamDestroyed' }>} StreamEvent */

export class Publications {
  /** @type {Set<Publisher>} */
  #publishers = new Set()
  /** How many are on their way, and what came about their streams before their ids were known here. */
  #underWay = 0
  /** @type {StreamEvent[]} */
  #early = []

  /** @returns {Publisher[]} */
  all() {
    return [...this.#publishers]
  }

  /** @param {string | undefined} streamId @returns {Publisher | undefined} */
  of(streamId) {
    return this.all().find((each) => each.stream && each.stream.streamId === streamId)
  }

  /**
   * @param {Publisher} publisher
   * @param {{ session: any, media: Media, members: Members }} place
   */
  async publish(publisher, { session, media, members }) {
    this.#publishers.add(publisher)
    this.#underWay += 1
    /** @type {string | undefined} */
    let streamId
    const forget = () => {
      this.#publishers.delete(publisher)
      if (streamId) members.own.remove(streamId)
    }
    try {
      const stream = await publisher.publishTo({
        session,
        media,
        forget,
        changed: (changed, update) => {
          const events = [...members.changed(changed, update)]
          later(() => {
            for (const event of events) session.dispatchEvent(event)
          })
        },
      })
      streamId = stream.streamId
      members.own.add(stream)
      if (members.archives.length > 0) publisher.setArchiving(true)
      publisher.dispatchEvent(new OTEvent('streamCreated', { stream }))
    } catch (error) {
      forget()
      throw error
    } finally {
      this.#underWay -= 1
      const early = this.#early
      this.#early = this.#underWay > 0 ? early.filter((each) => each.streamId !== streamId) : []
      for (const event of early) if (event.streamId === streamId) this.told(event)
    }
  }

  /**
   * @param {StreamEvent} event
   * @returns {boolean} whether it is, or may be, about a stream of ours
   */
  told(event) {
    const publisher = this.of(event.streamId)
    if (!publisher) {
      if (this.#underWay > 0) this.#early.push(event)
      return this.#underWay > 0
    }
    if (event.type === 'streamMuted') publisher.mutedByForce()
    else publisher.endStream(event.reason, { notifyServer: false })
    return true
  }
}
