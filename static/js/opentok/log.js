/** @file What the library tells a page's developer in the console. */

export const LEVELS = { NONE: 0, ERROR: 1, WARN: 2, INFO: 3, LOG: 4, DEBUG: 5 }

let level = LEVELS.WARN

/** @param {number} next one of {@link LEVELS} */
export function setLogLevel(next) {
  level = Number(next)
}

/**
 * @param {number} needed
 * @param {'error' | 'warn' | 'info' | 'log' | 'debug'} method
 */
function logger(needed, method) {
  return (/** @type {unknown[]} */ ...parts) => {
    if (level >= needed) console[method]('OpenTok:', ...parts)
  }
}

export const log = {
  error: logger(LEVELS.ERROR, 'error'),
  warn: logger(LEVELS.WARN, 'warn'),
  info: logger(LEVELS.INFO, 'info'),
  log: logger(LEVELS.LOG, 'log'),
  debug: logger(LEVELS.DEBUG, 'debug'),
}
