// The smallest group chat: everybody who opens the page sees and hears everybody else.
// It needs <script src="/v2/js/opentok.js"></script> before it, and the two elements named below.

const { apiKey, sessionId, token } = JSON.parse(document.getElementById('boot').textContent)

const session = OT.initSession(apiKey, sessionId)
const publisher = OT.initPublisher('publisher')

session.on('streamCreated', (event) => {
  session.subscribe(event.stream, 'subscribers', { insertMode: 'append' })
})

session.connect(token, (error) => {
  if (error) {
    alert(error.message)
    return
  }
  session.publish(publisher)
})
