/** @file The connections, streams and archives of a session, as pages look through them. */

/** @template {{ id: string }} T */
export class Collection {
  /** @type {Map<string, T>} */
  #items = new Map()

  get length() {
    return this.#items.size
  }

  /** @param {string} id @returns {T | undefined} */
  get(id) {
    return this.#items.get(id)
  }

  /** @param {string} id */
  has(id) {
    return this.#items.has(id)
  }

  /**
   * @param {((item: T) => boolean) | Partial<T>} wanted a test, or properties and their values
   * @returns {T | undefined} the first
   */
  find(wanted) {
    return this.where(wanted)[0]
  }

  /**
   * @param {((item: T) => boolean) | Partial<T>} [wanted] absent: all
   * @returns {T[]} in order of arrival
   */
  where(wanted = {}) {
    const test =
      typeof wanted === 'function'
        ? wanted
        : (/** @type {any} */ item) =>
            Object.entries(wanted).every(([property, value]) => item[property] === value)
    return [...this.#items.values()].filter(test)
  }

  /** @param {(item: T) => void} task */
  forEach(task) {
    this.where().forEach(task)
  }

  /** @template R @param {(item: T) => R} change @returns {R[]} */
  map(change) {
    return this.where().map(change)
  }

  /** For the session only. @param {T} item */
  add(item) {
    this.#items.set(item.id, item)
    return item
  }

  /** For the session only. @param {string} id @returns {T | undefined} what was removed */
  remove(id) {
    const item = this.#items.get(id)
    this.#items.delete(id)
    return item
  }

  /** For the session only. */
  clear() {
    this.#items.clear()
  }
}
