/**
 * @file Who and what is in a session: turns what the server tells into the events that pages know, in their order.
 *
 * Knows nothing of sockets and elements; the session passes messages in and says what goes with each event.
 */

import { Collection } from './collection.js'
import { Connection } from './connection.js'
import { OTEvent } from './events.js'
import { openTokReason } from './reason.js'
import { Stream } from './stream.js'

/** @import { ArchiveInfo, ConnectionInfo, ServerEvent, StreamInfo, StreamUpdate, Welcome } from './messages.js' */

/** @typedef {{ id: string, name: string, status: 'started' | 'stopped' }} Archive */

export class Members {
  /** @type {Collection<Connection>} */
  connections = new Collection()
  /** Those of others. @type {Collection<Stream>} */
  streams = new Collection()
  /** Those recording now. @type {Collection<Archive>} */
  archives = new Collection()
  /** This client's own. @type {Collection<Stream>} */
  own = new Collection()

  clear() {
    this.connections.clear()
    this.streams.clear()
    this.archives.clear()
    this.own.clear()
  }

  /**
   * Everything that is there at the beginning, one event after the other; what an event tells of is in the
   * collections when it comes.
   *
   * @param {Welcome} welcome
   * @returns {Generator<OTEvent>}
   */
  *enter(welcome) {
    const { connectionId } = welcome.connection
    const own = this.connection(welcome.connection)
    yield new OTEvent('sessionConnected', { connections: [], streams: [], archives: [] })
    const others = welcome.connections.filter((info) => info.connectionId !== connectionId)
    yield new OTEvent('connectionCreated', { connection: own })
    for (const info of others) yield this.#connectionCreated(info)
    for (const info of welcome.streams) {
      if (info.connectionId !== connectionId) yield* this.#streamCreated(info)
    }
    for (const info of welcome.archives) yield this.#archiveStarted(info)
  }

  /** @param {ConnectionInfo} info @returns {Connection} always the same object for one id */
  connection(info) {
    return this.connections.get(info.connectionId) ?? this.connections.add(new Connection(info))
  }

  /**
   * Whom a stream or a signal is from. A quiet client has not been told of them: it knows their id.
   *
   * @param {string} connectionId
   * @returns {Connection}
   */
  of(connectionId) {
    const known = this.connections.get(connectionId)
    if (known) return known
    const stream = this.streams.find(({ connection }) => connection.connectionId === connectionId)
    return stream?.connection ?? new Connection({ connectionId, creationTime: 0, data: '' })
  }

  /**
   * What the page is told about a server's event. Signals and what concerns this client's own streams and
   * connection are the session's.
   *
   * @param {ServerEvent} event
   * @returns {Generator<OTEvent>}
   */
  *apply(event) {
    switch (event.type) {
      case 'connectionCreated':
        if (!this.connections.has(event.connection.connectionId)) {
          yield this.#connectionCreated(event.connection)
        }
        break
      case 'connectionDestroyed': {
        const connection = this.connections.remove(event.connectionId)
        const reason = openTokReason(event.reason)
        if (connection) yield new OTEvent('connectionDestroyed', { connection, reason })
        break
      }
      case 'streamCreated':
        if (!this.#stream(event.stream.streamId)) yield* this.#streamCreated(event.stream)
        break
      case 'streamDestroyed': {
        const stream = this.streams.remove(event.streamId)
        const reason = openTokReason(event.reason)
        if (stream) yield new OTEvent('streamDestroyed', { stream, reason }, true)
        break
      }
      case 'streamChanged': {
        const stream = this.#stream(event.stream.streamId)
        if (stream) yield* this.changed(stream, event.stream)
        break
      }
      case 'archiveStarted':
        if (!this.archives.has(event.archive.id)) yield this.#archiveStarted(event.archive)
        break
      case 'archiveStopped': {
        const archive = this.archives.remove(event.archive.id)
        if (!archive) break
        archive.status = 'stopped'
        yield archiveEvent('archiveStopped', archive)
        break
      }
      case 'muteForced':
        yield new OTEvent('muteForced', { active: event.active })
        break
    }
  }

  /**
   * @param {Stream} stream
   * @param {StreamUpdate} update
   * @returns {Generator<OTEvent>}
   */
  *changed(stream, update) {
    for (const change of stream.update(update)) {
      yield new OTEvent('streamPropertyChanged', { stream, ...change })
    }
  }

  /** @param {string} id */
  #stream(id) {
    return this.streams.get(id) ?? this.own.get(id)
  }

  /** @param {ConnectionInfo} info */
  #connectionCreated(info) {
    return new OTEvent('connectionCreated', { connection: this.connection(info) })
  }

  /** @param {StreamInfo} info @returns {Generator<OTEvent>} */
  *#streamCreated(info) {
    const stream = this.streams.add(new Stream(info, this.of(info.connectionId)))
    yield new OTEvent('streamCreated', { stream })
  }

  /** @param {ArchiveInfo} info */
  #archiveStarted({ id, name }) {
    return archiveEvent('archiveStarted', this.archives.add({ id, name, status: 'started' }))
  }
}

/**
 * @param {string} type
 * @param {Archive} archive
 */
function archiveEvent(type, archive) {
  const { id, name, status } = archive
  return new OTEvent(type, { id, name, status, archive })
}
