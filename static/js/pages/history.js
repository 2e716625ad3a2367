/** @file The history: what changes shows at once. */

import { confirmForms } from '../ui/ask.js'
import { byId } from '../ui/dom.js'
import { enliven, keepTrue, replace } from '../ui/live.js'

confirmForms(document)
let stop = enliven(byId('archives', HTMLElement))

keepTrue(
  () => true,
  (fresh) => {
    const archives = replace(fresh, 'archives')
    if (!archives) return
    stop()
    stop = enliven(archives)
    replace(fresh, 'summary')
  },
)

for (const select of document.querySelectorAll('.filters select')) {
  select.addEventListener('change', () => select.closest('form')?.requestSubmit())
}
