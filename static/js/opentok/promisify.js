/** @file Calls with a callback that can also be made for a promise: `session.connect(token, done)`, `session.connect.promise(token)`. */

/**
 * @template R
 * @param {(...given: any[]) => R} call whose last argument may be a callback `(error, value)`
 * @returns {((...given: any[]) => R) & { promise: (...given: any[]) => Promise<any> }}
 */
export function promisify(call) {
  return Object.assign(call, {
    promise: (/** @type {any[]} */ ...given) =>
      new Promise((resolve, reject) => {
        call(...given, (/** @type {any} */ error, /** @type {any} */ value) =>
          error ? reject(error) : resolve(value),
        )
      }),
  })
}
