// A page as others write them: it connects, publishes, and shows whoever else publishes in a tile with their name.

globalThis.call = (() => {
  /** What was told, in order. */
  const told = []
  /** Subscribers by the name of who publishes. */
  const subscribers = {}
  let session
  let publisher

  function show(stream) {
    const { name } = JSON.parse(stream.connection.data)
    const tile = document.createElement('div')
    tile.className = 'tile'
    tile.ariaLabel = name
    tile.style = 'width: 640px; height: 480px'
    document.getElementById('tiles').append(tile)
    const size = { insertMode: 'append', width: '100%', height: '100%' }
    const subscriber = session.subscribe(stream, tile, size)
    subscribers[name] = subscriber
    subscriber.on('connected disconnected destroyed videoDisabled videoEnabled', ({ type }) => {
      told.push(`${type} ${name}`)
    })
  }

  async function begin(key, id, token) {
    document.body.innerHTML = '<main id="tiles"></main>'
    session = OT.initSession(key, id)
    session.on('streamCreated', ({ stream }) => show(stream))
    session.on('streamCreated streamDestroyed sessionReconnecting sessionReconnected', ({ type, stream }) => {
      told.push(stream ? `${type} ${JSON.parse(stream.connection.data).name}` : type)
    })
    await session.connect.promise(token)
    publisher = OT.initPublisher(null, { insertMode: 'append', width: 100, height: 75 })
    await session.publish.promise(publisher)
    return true
  }

  return {
    begin,
    told,
    subscribers,
    get session() {
      return session
    },
    get publisher() {
      return publisher
    },
  }
})()

/** Watches somebody's picture: the longest pause between two frames, and whether it comes another way by now. */
globalThis.watchGap = (name) => {
  const video = test.videoOf(name)
  const [track] = video.srcObject.getVideoTracks()
  const watch = {
    longest: 0,
    changedOver: () => video.srcObject.getVideoTracks()[0] !== track && test.moves(video),
  }
  let last = performance.now()
  const next = () => {
    const now = performance.now()
    watch.longest = Math.max(watch.longest, now - last)
    last = now
    video.requestVideoFrameCallback(next)
  }
  video.requestVideoFrameCallback(next)
  return watch
}
