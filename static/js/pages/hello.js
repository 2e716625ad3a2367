/**
 * @file Hello, World: the smallest group chat there is, to copy from.
 *
 * It uses nothing but the global `OT` of `/v2/js/opentok.js`, as pages written for OpenTok do.
 */

const { OT } = /** @type {any} */ (globalThis)
const { apiKey, sessionId, token } = document.getElementById('hello')?.dataset ?? {}

/** @param {any} error */
function tell(error) {
  const note = document.getElementById('problem')
  const words = note?.querySelector('p')
  if (!error || !note || !words) return
  words.textContent = error.message
  note.hidden = false
}

if (!OT)
  tell({ message: 'The video library could not be loaded. Load this page again in a moment.' })
const session = OT.initSession(apiKey, sessionId)

// Everybody who publishes is shown.
session.on('streamCreated', (/** @type {any} */ event) => {
  session.subscribe(event.stream, 'subscribers', { insertMode: 'append' }, tell)
})

// So are you, once you are connected.
session.connect(token, (/** @type {any} */ error) => {
  if (error) return tell(error)
  session.publish(OT.initPublisher('publisher', { insertMode: 'append' }, tell), tell)
})
