/** @file The history: what changes shows at once. */

import { autoRefresh, keepTrue, replace } from '../ui/auto-refresh.js'
import { confirmForms } from '../ui/confirm.js'
import { byId } from '../ui/dom.js'

confirmForms(document)
let stop = autoRefresh(byId('archives', HTMLElement))

keepTrue(
  () => true,
  (fresh) => {
    const archives = replace(fresh, 'archives')
    if (!archives) return
    stop()
    stop = autoRefresh(archives)
    replace(fresh, 'summary')
  },
)

for (const select of document.querySelectorAll('.filters select')) {
  select.addEventListener('change', () => select.closest('form')?.requestSubmit())
}
