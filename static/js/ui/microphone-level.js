/** @file How loud a microphone is, several times a second. */

const INTERVAL_MS = 80

/** @type {AudioContext | null} */
let context = null

/**
 * @param {MediaStreamTrack} track
 * @param {(level: number) => void} onLevel 0 to 1, on a scale that looks right
 * @returns {() => void} stops it
 */
export function watchLevel(track, onLevel) {
  context ??= new AudioContext()
  // Without a gesture the browser keeps it asleep; the next one wakes it.
  if (context.state === 'suspended') context.resume().catch(() => {})
  const source = context.createMediaStreamSource(new MediaStream([track]))
  const analyser = context.createAnalyser()
  analyser.fftSize = 1024
  source.connect(analyser)
  const samples = new Float32Array(analyser.fftSize)
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples)
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length
    onLevel(shown(Math.sqrt(power)))
  }, INTERVAL_MS)
  return () => {
    clearInterval(timer)
    source.disconnect()
  }
}

/**
 * Ears hear ratios: −60 dB is nothing, −10 dB is full.
 *
 * @param {number} level 0 to 1, linear
 */
export function shown(level) {
  if (level <= 0) return 0
  return Math.min(1, Math.max(0, (20 * Math.log10(level) + 60) / 50))
}
