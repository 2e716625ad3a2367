/** @file Figures about media, in the shapes that OpenTok pages read. */

/**
 * @param {Iterable<any>} reports of an RTCStatsReport
 * @param {'inbound-rtp' | 'outbound-rtp'} type
 * @param {'audio' | 'video'} kind
 * @param {string[]} fields to add up over layers
 */
function sum(reports, type, kind, fields) {
  /** @type {Record<string, number>} */
  const total = {}
  for (const field of fields) total[field] = 0
  for (const report of reports) {
    if (report.type !== type || report.kind !== kind) continue
    for (const field of fields) total[field] = (total[field] ?? 0) + (report[field] ?? 0)
  }
  return total
}

/** @param {RTCStatsReport} report of what one subscriber receives */
export function subscriberStats(report) {
  const reports = [...report.values()]
  const fields = ['bytesReceived', 'packetsLost', 'packetsReceived']
  const audio = sum(reports, 'inbound-rtp', 'audio', fields)
  const video = sum(reports, 'inbound-rtp', 'video', fields)
  const inbound = reports.find((each) => each.type === 'inbound-rtp' && each.kind === 'video')
  return {
    timestamp: timestampOf(reports),
    audio,
    video: { ...video, frameRate: inbound?.framesPerSecond ?? 0 },
  }
}

/** @param {RTCStatsReport} report of what one publisher sends */
export function publisherStats(report) {
  const reports = [...report.values()]
  const remote = (/** @type {'audio' | 'video'} */ kind) =>
    reports
      .filter((each) => each.type === 'remote-inbound-rtp' && each.kind === kind)
      .reduce((lost, each) => lost + (each.packetsLost ?? 0), 0)
  const fields = ['bytesSent', 'packetsSent']
  const frameRate = reports
    .filter((each) => each.type === 'outbound-rtp' && each.kind === 'video')
    .reduce((fastest, each) => Math.max(fastest, each.framesPerSecond ?? 0), 0)
  return {
    timestamp: timestampOf(reports),
    audio: { ...sum(reports, 'outbound-rtp', 'audio', fields), packetsLost: remote('audio') },
    video: {
      ...sum(reports, 'outbound-rtp', 'video', fields),
      packetsLost: remote('video'),
      frameRate,
    },
  }
}

/**
 * Several reports as one, as a peer connection of its own would give it.
 *
 * @param {(RTCRtpSender | RTCRtpReceiver | undefined)[]} sources
 * @returns {Promise<RTCStatsReport>}
 */
export async function mergedReport(sources) {
  const merged = new Map()
  for (const source of sources) {
    for (const [id, report] of (await source?.getStats()) ?? []) merged.set(id, report)
  }
  return /** @type {any} */ (merged)
}

/** @param {any[]} reports */
function timestampOf(reports) {
  return reports[0]?.timestamp ?? Date.now()
}
