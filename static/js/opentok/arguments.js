/** @file Which argument is which: pages leave arguments out, and old ones put the API key first. */

/** @typedef {{ target: any, properties: Record<string, any>, callback: any }} WidgetArguments */

/**
 * `initPublisher(target?, properties?, callback?)`, and the old `initPublisher(apiKey, target, …)`.
 *
 * Two strings at the front mean that the first is an API key: a target is followed by properties. This
 * does not ask whether such an element exists, because the script may run before the body does.
 *
 * @param {any[]} given
 * @returns {WidgetArguments}
 */
export function publisherArguments(given) {
  const [first, second, third] = given
  const afterKey =
    typeof second === 'string' || isElement(second) || (second == null && isProperties(third))
  const isKey = typeof first === 'number' || (typeof first === 'string' && afterKey)
  return widgetArguments(isKey ? given.slice(1) : given)
}

/**
 * `target?, properties?, callback?`, any of them left out.
 *
 * @param {any[]} given
 * @returns {WidgetArguments}
 */
export function widgetArguments(given) {
  const rest = [...given]
  const at = rest.findIndex((each) => typeof each === 'function')
  const callback = at < 0 ? undefined : rest[at]
  if (at >= 0) rest.length = at
  const [first, second] = rest
  if (isProperties(first) && second === undefined) {
    return { target: undefined, properties: { ...first }, callback }
  }
  return { target: first, properties: isProperties(second) ? { ...second } : {}, callback }
}

/**
 * `connect(token, callback?)` and `connect(apiKey, token, callback?)`.
 *
 * @param {any[]} given
 * @returns {{ apiKey: string | undefined, token: any, callback: any }}
 */
export function connectArguments(given) {
  const rest = [...given]
  const last = rest.at(-1)
  const callback = typeof last === 'function' ? rest.pop() : undefined
  const [first, second] = rest
  const hasKey = typeof second === 'string' && ['string', 'number'].includes(typeof first)
  return hasKey
    ? { apiKey: String(first), token: second, callback }
    : { apiKey: undefined, token: first, callback }
}

/**
 * `initSession(apiKey, sessionId, options?)` and the old `initSession(sessionId)`.
 *
 * @param {any[]} given
 * @returns {{ apiKey: string | undefined, sessionId: any, options?: any }}
 */
export function sessionArguments(given) {
  const [first, second, options] = given
  if (typeof second === 'string') return { apiKey: String(first ?? ''), sessionId: second, options }
  return { apiKey: undefined, sessionId: first }
}

/** @param {any} value */
function isElement(value) {
  return typeof value === 'object' && value?.nodeType === 1
}

/** @param {any} value */
function isProperties(value) {
  return typeof value === 'object' && value !== null && !isElement(value)
}
