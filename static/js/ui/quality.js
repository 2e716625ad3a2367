/** @file The connection quality of a received stream: signal bars, and a sentence for them. */

/** Long enough for a share of lost packets to mean something: about 150 audio packets. */
const INTERVAL_MS = 3000

/**
 * Shares of lost packets from which quality falls to fair and to poor.
 *
 * Source: LiveKit, pkg/sfu/connectionquality, where the levels are called good and poor. Audio is Opus with forward
 * error correction, which repairs single losses.
 */
const LIMITS = {
  audio: { fair: 0.0375, poor: 0.1125 },
  video: { fair: 0.02, poor: 0.06 },
}

/** Packets of one medium in one interval. @typedef {{ received: number, lost: number }} Packets */

/** Bars are 0 to 4. @typedef {{ bars: number, words: string }} Quality */

/** The part of a subscriber's statistics that is read here. @typedef {{ packetsReceived: number, packetsLost: number }} Counters */

/** @typedef {{ audio?: Counters, video?: Counters }} Stats */

/**
 * @typedef {object} Subscriber
 * @property {{ hasAudio: boolean, hasVideo: boolean } | null} [stream]
 * @property {(callback: (error: unknown, stats?: Stats) => void) => void} getStats
 */

/**
 * The quality of the worse of both media. A medium without packets is not sent, and does not count.
 *
 * @param {{ audio: Packets, video: Packets }} packets since the last poll
 * @returns {Quality}
 */
export function quality({ audio, video }) {
  if (audio.received + video.received === 0) return { bars: 0, words: 'Connection lost' }
  const reaches = (/** @type {'fair' | 'poor'} */ level) =>
    lossOf(audio) >= LIMITS.audio[level] || lossOf(video) >= LIMITS.video[level]
  if (reaches('poor')) return { bars: 1, words: 'Poor connection' }
  if (reaches('fair')) return { bars: 3, words: 'Fair connection' }
  return { bars: 4, words: 'Good connection' }
}

/** The share of lost packets, 0 to 1. @param {Packets} packets */
function lossOf({ received, lost }) {
  return lost === 0 ? 0 : lost / (received + lost)
}

/**
 * Packets since an earlier poll. Counters fall when a subscription moves to another connection.
 *
 * @param {Counters | undefined} now
 * @param {Counters | undefined} before
 * @returns {Packets}
 */
function difference(now, before) {
  return {
    received: Math.max(0, (now?.packetsReceived ?? 0) - (before?.packetsReceived ?? 0)),
    lost: Math.max(0, (now?.packetsLost ?? 0) - (before?.packetsLost ?? 0)),
  }
}

/**
 * Polls a subscriber's statistics.
 *
 * @param {Subscriber} subscriber
 * @param {(result: Quality) => void} onChange
 * @returns {() => void} stops polling
 */
export function watchQuality(subscriber, onChange) {
  /** @type {Stats} */
  let before = {}
  const timer = setInterval(() => {
    const { stream } = subscriber
    if (!stream?.hasAudio && !stream?.hasVideo) return // nothing is sent, so nothing can be lost
    subscriber.getStats((error, stats) => {
      if (error || !stats) return
      onChange(
        quality({
          audio: difference(stats.audio, before.audio),
          video: difference(stats.video, before.video),
        }),
      )
      before = stats
    })
  }, INTERVAL_MS)
  return () => clearInterval(timer)
}
