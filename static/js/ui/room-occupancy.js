/** @file Who is in a room, in one sentence; `src/web/room.rs` says the same. */

/** @param {string[]} people */
export function occupancySentence(people) {
  const [one, two, three] = people
  switch (people.length) {
    case 0:
      return "No one's here yet."
    case 1:
      return `${one} is here.`
    case 2:
      return `${one} and ${two} are here.`
    case 3:
      return `3 people are here: ${one}, ${two} and ${three}.`
    default:
      return `${people.length} people are here: ${one}, ${two} and ${people.length - 2} more.`
  }
}
