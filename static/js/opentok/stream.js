/** @file What a connection publishes, as pages see it. */

import { Events } from './events.js'

/** @import { StreamInfo } from './messages.js' */
/** @import { Connection } from './connection.js' */

/** There is one object per stream and session; its properties follow the publisher's changes. */
export class Stream extends Events {
  /**
   * @param {StreamInfo} info
   * @param {Connection} connection who publishes it
   */
  constructor(info, connection) {
    super()
    this.streamId = info.streamId
    this.id = info.streamId
    this.connection = connection
    /** Unix time, ms. */
    this.creationTime = info.creationTime
    this.name = info.name
    this.hasAudio = info.hasAudio
    this.hasVideo = info.hasVideo
    this.videoType = info.videoType
    this.frameRate = info.frameRate ?? undefined
    this.videoDimensions = { width: info.width, height: info.height }
  }

  /**
   * Takes over what is new.
   *
   * @param {Partial<Pick<StreamInfo, 'hasAudio' | 'hasVideo' | 'width' | 'height'>>} info absent means unchanged
   * @returns {{ changedProperty: string, oldValue: unknown, newValue: unknown }[]} what was
   */
  update(info) {
    const changes = []
    for (const property of /** @type {const} */ (['hasAudio', 'hasVideo'])) {
      const newValue = info[property]
      if (newValue === undefined || newValue === this[property]) continue
      changes.push({ changedProperty: property, oldValue: this[property], newValue })
      this[property] = newValue
    }
    const oldValue = this.videoDimensions
    const newValue = {
      width: info.width ?? oldValue.width,
      height: info.height ?? oldValue.height,
    }
    if (newValue.width !== oldValue.width || newValue.height !== oldValue.height) {
      this.videoDimensions = newValue
      changes.push({ changedProperty: 'videoDimensions', oldValue, newValue })
    }
    return changes
  }
}
