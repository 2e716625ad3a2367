/**
 * @file The library as a plain script: defines `OT`, and `TB`, its old name.
 *
 * A page that needs another server's library beside it gives it another name: `data-global`.
 */

import { OT } from './api.js'
import { setScriptUrl } from './server-url.js'

const script = /** @type {HTMLScriptElement | null} */ (document.currentScript)
const url = script?.dataset.engineUrl ?? script?.src
const name = script?.dataset.global
if (url) setScriptUrl(url, name ?? 'OT')

Object.assign(window, name ? { [name]: OT } : { OT, TB: OT })
