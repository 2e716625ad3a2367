/** @file Receive slots: which of the negotiated pairs of m-lines is showing a stream and which is free. */

/** The first negotiation makes so many, so that a call of three needs no second one. */
export const FIRST_SLOTS = 2

/** At most so many are added at a time. */
const GROWTH = 4

/** More would make the offer longer than the 64 KiB that the server reads. */
export const MAX_SLOTS = 24

export class Slots {
  #used = new Set()
  #count = 0

  /** How many there are, used or free. */
  get count() {
    return this.#count
  }

  /**
   * How many to make before the next {@link take}: none while one is free; else several at once, so that a room
   * that fills up does not negotiate for everyone who comes.
   */
  get missing() {
    if (this.#used.size < this.#count) return 0
    return Math.min(Math.max(this.#count, FIRST_SLOTS), GROWTH, MAX_SLOTS - this.#count)
  }

  /** @returns {number} the number of the new slot */
  add() {
    return this.#count++
  }

  /** @returns {number | null} the lowest free slot; null: there is none */
  take() {
    for (let slot = 0; slot < this.#count; slot += 1) {
      if (this.#used.has(slot)) continue
      this.#used.add(slot)
      return slot
    }
    return null
  }

  /** @param {number} slot */
  free(slot) {
    this.#used.delete(slot)
  }
}
