/** @file A client in a session, as pages see it. */

import { Events } from './events.js'

/** @import { ConnectionInfo } from './messages.js' */

/** There is one object per connection and session, so pages may compare by identity. */
export class Connection extends Events {
  /** @param {ConnectionInfo} info */
  constructor(info) {
    super()
    this.connectionId = info.connectionId
    this.id = info.connectionId
    /** Unix time, ms. */
    this.creationTime = info.creationTime
    /** The connection data of its token. */
    this.data = info.data
    this.capabilities = {}
    this.permissions = {}
  }
}
