/** @file Asking the server to change something. */

/** What went wrong, in words for people. */
export class Problem extends Error {
  /**
   * @param {number} status HTTP status; 0: the server was not reached
   * @param {string} cause
   * @param {string} remedy
   */
  constructor(status, cause, remedy) {
    super(cause)
    this.status = status
    this.remedy = remedy
    /** How the invitation ended that was answered too late. @type {string | null} */
    this.outcome = null
  }
}

/**
 * @param {string} path
 * @param {string} csrf
 * @param {Record<string, string>} [fields]
 * @returns {Promise<any>} the answer's JSON
 * @throws {Problem}
 */
export async function post(path, csrf, fields = {}) {
  return answer(path, {
    method: 'POST',
    headers: { Accept: 'application/json', 'X-CSRF-Token': csrf },
    body: new URLSearchParams(fields),
  })
}

/**
 * The same with a JSON body, as an application's script would send it.
 *
 * @param {string} path
 * @param {object} body
 * @returns {Promise<any>} the answer's JSON; null when it has none
 * @throws {Problem}
 */
export async function postJson(path, body) {
  return answer(path, {
    method: 'POST',
    headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
}

/**
 * @param {string} path
 * @returns {Promise<any>} the answer's JSON
 * @throws {Problem}
 */
export async function get(path) {
  return answer(path, { headers: { Accept: 'application/json' } })
}

/**
 * @param {string} path
 * @param {RequestInit} request
 */
async function answer(path, request) {
  let response
  try {
    response = await fetch(path, request)
  } catch {
    throw new Problem(0, 'The server cannot be reached.', 'Check your network, then try again.')
  }
  const body = await response.json().catch(() => null)
  if (response.ok) return body
  const problem = new Problem(
    response.status,
    body?.cause ?? 'Something went wrong.',
    body?.remedy ?? 'Reload the page and try again.',
  )
  problem.outcome = body?.outcome ?? null
  throw problem
}
