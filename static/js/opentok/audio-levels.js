/** @file How loud a track is, from 0 to 1, several times a second and only while somebody wants to know. */

/** Often enough for a meter to look alive. */
const INTERVAL_MS = 100

/** @type {AudioContext | null} */
let context = null

/** Calls back with the level of what it listens to, until it is stopped. */
export class LevelMeter {
  #timer
  #stopped = false

  /**
   * @param {() => Promise<number | null> | number | null} read null: nothing is known at the moment
   * @param {(level: number) => void} onLevel
   */
  constructor(read, onLevel) {
    this.#timer = setInterval(async () => {
      const level = await read()
      if (level !== null && !this.#stopped) onLevel(level)
    }, INTERVAL_MS)
  }

  stop() {
    this.#stopped = true
    clearInterval(this.#timer)
  }
}

/**
 * Listens to a local track; works before it is sent.
 *
 * @param {MediaStreamTrack} track
 * @returns {{ read(): number | null, close(): void }}
 */
export function listen(track) {
  context ??= new AudioContext()
  // Browsers let a page make sound, and compute it, only after a gesture; this is often made of one.
  if (context.state === 'suspended') context.resume().catch(() => {})
  const source = context.createMediaStreamSource(new MediaStream([track]))
  const analyser = context.createAnalyser()
  analyser.fftSize = 1024
  source.connect(analyser)
  const samples = new Float32Array(analyser.fftSize)
  return {
    read() {
      if (context?.state !== 'running') return null
      analyser.getFloatTimeDomainData(samples)
      return Math.min(
        samples.reduce((loudest, sample) => Math.max(loudest, Math.abs(sample)), 0),
        1,
      )
    },
    close() {
      source.disconnect()
    },
  }
}

/**
 * The level at which a received track is being played.
 *
 * @param {RTCRtpReceiver} receiver
 * @returns {Promise<number | null>}
 */
export async function receivedLevel(receiver) {
  const level = receiver.getSynchronizationSources?.()[0]?.audioLevel
  if (level !== undefined) return level
  for (const report of (await receiver.getStats()).values()) {
    if (report.type === 'inbound-rtp' && report.audioLevel !== undefined) return report.audioLevel
  }
  return null
}
