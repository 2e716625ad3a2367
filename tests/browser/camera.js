// A camera and a microphone that tell who they belong to: one colour, one tone; and, when asked for, a white flash
// with a beep, both at once, for a quarter of every two seconds' first half.

;(() => {
  const { colour, hz, flashes } = PERSON
  const PERIOD_S = 2
  const FLASH_S = 0.25
  const BEEP_HZ = 2500

  /** @type {AudioContext | undefined} */
  let context
  let begun = 0
  let out

  function sound() {
    if (out) return out
    context = new AudioContext()
    const { sampleRate } = context
    const buffer = context.createBuffer(1, PERIOD_S * sampleRate, sampleRate)
    const samples = buffer.getChannelData(0)
    for (let i = 0; i < samples.length; i++) {
      const t = i / sampleRate
      samples[i] = 0.15 * Math.sin(2 * Math.PI * hz * t)
      if (flashes && t < FLASH_S) samples[i] += 0.5 * Math.sin(2 * Math.PI * BEEP_HZ * t)
    }
    const source = context.createBufferSource()
    source.buffer = buffer
    source.loop = true
    out = context.createMediaStreamDestination()
    source.connect(out)
    begun = context.currentTime + 0.1
    source.start(begun)
    return out
  }

  function microphone() {
    return sound().stream.getAudioTracks()[0].clone()
  }

  function camera() {
    sound()
    const canvas = new OffscreenCanvas(640, 360)
    const pen = canvas.getContext('2d')
    const generator = new MediaStreamTrackGenerator({ kind: 'video' })
    const writer = generator.writable.getWriter()
    let was = false
    let last = -1000
    let ticked = performance.now()
    const timer = setInterval(() => {
      if (generator.readyState === 'ended') return clearInterval(timer)
      const now = performance.now()
      globalThis.longestPause = Math.max(globalThis.longestPause ?? 0, now - ticked)
      ticked = now
      const t = context.currentTime - begun
      const flash = flashes && t >= 0 && t % PERIOD_S < FLASH_S
      if (flash === was && now - last < 40) return
      was = flash
      last = now
      pen.fillStyle = flash ? 'white' : colour
      pen.fillRect(0, 0, 640, 360)
      pen.fillStyle = 'black'
      pen.fillRect(((now / 10) % 640) | 0, 352, 8, 8)
      const frame = new VideoFrame(canvas, { timestamp: Math.round(now * 1000) })
      writer.write(frame).catch(() => clearInterval(timer))
    }, 8)
    return generator
  }

  MediaDevices.prototype.getUserMedia = async ({ audio, video }) => {
    const tracks = []
    if (audio) tracks.push(microphone())
    if (video) tracks.push(camera())
    await context.resume()
    return new MediaStream(tracks)
  }
})()
