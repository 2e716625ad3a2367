/** @file What runs again and again for a while. */

/**
 * Runs something now and from then on.
 *
 * @param {number} ms
 * @param {AbortSignal} signal ends it
 * @param {() => void} run
 */
export function repeat(ms, signal, run) {
  run()
  const timer = setInterval(run, ms)
  signal.addEventListener('abort', () => clearInterval(timer))
}
