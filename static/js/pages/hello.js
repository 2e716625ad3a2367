// The smallest group chat: everybody who opens the page sees and hears everybody else.
// Before this script the page has <script src="https://your-server/v2/js/opentok.js"></script>.

const { apiKey, sessionId, token } = document.getElementById('hello').dataset

function tell(error) {
  if (!error) return
  const note = document.getElementById('problem')
  note.querySelector('p').textContent = error.message
  note.hidden = false
}

const session = OT.initSession(apiKey, sessionId)
const publisher = OT.initPublisher('publisher', tell)

session.on('streamCreated', (event) => {
  session.subscribe(event.stream, 'subscribers', { insertMode: 'append' }, tell)
})

session.connect(token, (error) => {
  if (error) return tell(error)
  session.publish(publisher, tell)
})
