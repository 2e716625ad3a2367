/** @file How well somebody is received: bars, and the word for them. */

/** Long enough to onChange loss from chance. */
const INTERVAL_MS = 3000

/**
 * @param {{ received: number, lost: number }} packets since the last look
 * @returns {{ bars: number, words: string }}
 */
export function quality({ received, lost }) {
  if (received === 0) return { bars: 0, words: 'Connection lost' }
  const share = lost / (received + lost)
  if (share < 0.06) return { bars: 4, words: 'Good connection' }
  if (share < 0.08) return { bars: 3, words: 'Fair connection' }
  if (share < 0.12) return { bars: 2, words: 'Poor connection' }
  return { bars: 1, words: 'Bad connection' }
}

/**
 * Of both media, of which either may be missing.
 *
 * @param {any} stats
 * @param {'packetsReceived' | 'packetsLost'} what
 * @returns {number}
 */
function sum({ audio, video }, what) {
  return (audio?.[what] ?? 0) + (video?.[what] ?? 0)
}

/**
 * Looks at a subscriber every few seconds.
 *
 * @param {any} subscriber
 * @param {(result: { bars: number, words: string }) => void} onChange
 * @returns {() => void} stops it
 */
export function watchQuality(subscriber, onChange) {
  let before = { received: 0, lost: 0 }
  const timer = setInterval(() => {
    const { stream } = subscriber
    if (!stream?.hasAudio && !stream?.hasVideo) return // nothing is sent, so nothing can be missed
    subscriber.getStats((/** @type {any} */ error, /** @type {any} */ stats) => {
      if (error) return
      const now = {
        received: sum(stats, 'packetsReceived'),
        lost: sum(stats, 'packetsLost'),
      }
      onChange(
        quality({
          received: Math.max(0, now.received - before.received),
          lost: Math.max(0, now.lost - before.lost),
        }),
      )
      before = now
    })
  }, INTERVAL_MS)
  return () => clearInterval(timer)
}
