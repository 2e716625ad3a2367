/** @file The recordings of one's own calls: times of here, and what is being composed becomes a film by itself. */

import { autoRefresh, replace } from '../ui/auto-refresh.js'
import { byId } from '../ui/dom.js'

/** While something is being recorded or composed. */
const POLL_INTERVAL_MS = 2000

const list = byId('recordings', HTMLUListElement)
let stop = autoRefresh(list)

async function poll() {
  if (!list.querySelector('.badge-status.work, .badge-status.rec')) return
  try {
    const answer = await fetch(location.href, { headers: { Accept: 'text/html' } })
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
    // One by one: whoever watches one of them goes on watching.
    const changed = [...list.children].map(({ id }) => replace(fresh, id))
    if (changed.some(Boolean)) {
      stop()
      stop = autoRefresh(list)
    }
  } catch {
    // The next poll may reach the server.
  }
  setTimeout(poll, POLL_INTERVAL_MS)
}
setTimeout(poll, POLL_INTERVAL_MS)
