// What the tests ask of a page. It is there before the page's own scripts, and changes nothing of theirs.

globalThis.test = (() => {
  /** By the track that is heard: an element may go on with another. @type {WeakMap<object, AnalyserNode>} */
  const ears = new WeakMap()
  /** @type {AudioContext | undefined} */
  let context

  const tiles = () => [...document.querySelectorAll('#tiles .tile:not(.tile--mirrored)')]
  const name = (tile) => tile.getAttribute('aria-label')
  const tileOf = (who) => tiles().find((tile) => name(tile) === who)
  const videoOf = (who) => tileOf(who)?.querySelector('video')

  /** A file's sound is there once it plays; asking for it again would open it again. */
  const captured = new WeakMap()
  function soundOf(video) {
    if (video.srcObject) return video.srcObject.getAudioTracks()
    if (!captured.has(video)) captured.set(video, video.captureStream())
    return captured.get(video).getAudioTracks()
  }

  function earOf(video) {
    const heard = soundOf(video)
    let ear = ears.get(heard[0])
    if (!ear) {
      context ??= new AudioContext()
      ear = context.createAnalyser()
      ear.fftSize = 8192
      ear.smoothingTimeConstant = 0
      context.createMediaStreamSource(new MediaStream(heard)).connect(ear)
      ears.set(heard[0], ear)
    }
    return ear
  }

  /** Whether pictures are decoded, more of them each time it is asked. */
  const frames = new WeakMap()
  function moves(video) {
    if (!video || video.videoWidth === 0) return false
    const before = frames.get(video) ?? 0
    const now = video.getVideoPlaybackQuality().totalVideoFrames
    frames.set(video, now)
    return before > 0 && now > before
  }

  /** Root mean square of what somebody is heard with now, 0 to 1. */
  function loudness(who) {
    const video = videoOf(who)
    if (!video || soundOf(video).length === 0) return 0
    const ear = earOf(video)
    const samples = new Float32Array(ear.fftSize)
    ear.getFloatTimeDomainData(samples)
    return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length)
  }

  /** The strongest tone that somebody is heard with now, in Hz; 0 while it is quiet. */
  function tone(who) {
    if (loudness(who) < 0.01) return 0
    const ear = earOf(videoOf(who))
    const levels = new Float32Array(ear.frequencyBinCount)
    ear.getFloatFrequencyData(levels)
    const strongest = levels.reduce((best, level, bin) => (level > levels[best] ? bin : best), 0)
    return (strongest * context.sampleRate) / ear.fftSize
  }

  /** The mean colour of a picture: red, green, blue, each 0 to 255. */
  function colour(video) {
    if (!video || video.videoWidth === 0) return [0, 0, 0]
    const canvas = new OffscreenCanvas(8, 8)
    const pen = canvas.getContext('2d')
    pen.drawImage(video, 0, 0, 8, 8)
    const { data } = pen.getImageData(0, 0, 8, 8)
    return [0, 1, 2].map(
      (part) => data.reduce((sum, value, i) => (i % 4 === part ? sum + value : sum), 0) / 64,
    )
  }

  const PAINTS = { red: [200, 30, 30], green: [30, 160, 30], blue: [40, 40, 220] }
  function isColour(video, paint) {
    const seen = colour(video)
    return PAINTS[paint].every((value, i) => Math.abs(value - seen[i]) < 60)
  }

  /** What happened in a call and when: tiles that come, show their first picture and go; REC that is there and not. */
  const story = []
  function tell(what) {
    story.push({ at: performance.now(), what })
  }
  function watch() {
    const there = new Map()
    let rec = false
    const look = () => {
      const pill = document.getElementById('rec')
      const recNow = !!pill && !pill.hidden
      if (recNow !== rec) tell(recNow ? 'rec on' : 'rec off')
      rec = recNow
      const present = new Set(tiles())
      for (const tile of present) {
        if (there.has(tile)) continue
        there.set(tile, name(tile))
        tell(`${name(tile)} came`)
      }
      for (const [tile, who] of there) {
        if (!present.has(tile)) {
          there.delete(tile)
          tell(`${who} went`)
          continue
        }
        const video = tile.querySelector('video')
        if (!video || video.told) continue
        video.told = true
        video.requestVideoFrameCallback(() => tell(`${who} seen`))
      }
    }
    new MutationObserver(look).observe(document, {
      subtree: true,
      childList: true,
      attributes: true,
      attributeFilter: ['hidden', 'class'],
    })
  }
  watch()

  /** What the page's own Content-Security-Policy refused. */
  const violations = []
  document.addEventListener('securitypolicyviolation', (event) => {
    violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`)
  })

  return { violations, tiles, name, tileOf, videoOf, moves, loudness, tone, colour, isColour, story }
})()
