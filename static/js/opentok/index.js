/** @file The library as a plain script: defines `OT`, and `TB`, its old name. */

import { OT } from './api.js'
import { cameFrom } from './engine.js'

const script = /** @type {HTMLScriptElement | null} */ (document.currentScript)
const url = script?.dataset.engineUrl ?? script?.src
if (url) cameFrom(url)

Object.assign(window, { OT, TB: OT })
