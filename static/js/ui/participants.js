/** @file Who is in the call: the list, and what the host can do with each. */

import { byId, copyOf, find, icon, initials } from './dom.js'

/**
 * @typedef {object} Person
 * @property {any} connection
 * @property {string} name
 * @property {boolean} isSelf
 * @property {boolean} isHost
 * @property {any} stream their camera's stream; null when they publish nothing
 */

/**
 * @param {Person[]} people in the order in which they came
 * @param {{ mute(person: Person): void, remove(person: Person): void } | null} host null: not ours to do
 */
export function renderParticipants(people, host) {
  byId('people-count', HTMLElement).textContent = String(people.length)
  byId('people-list', HTMLUListElement).replaceChildren(
    ...people.map((person) => {
      const row = copyOf('person-template')
      find(row, '.initial', HTMLElement).textContent = initials(person.name)
      find(row, '.person__name span', HTMLElement).textContent = person.isSelf
        ? `${person.name} (you)`
        : person.name
      find(row, 'small', HTMLElement).textContent = describe(person)
      const mic = find(row, '.person__mic', HTMLElement)
      const on = person.stream?.hasAudio === true
      mic.append(icon(on ? 'mic-fill' : 'mic-mute-fill'))
      mic.title = on ? 'Microphone on' : 'Muted'
      if (host && !person.isSelf) {
        const mute = find(row, '[data-do=mute]', HTMLButtonElement)
        mute.hidden = !on
        mic.hidden = on
        mute.title = `Mute ${person.name}`
        mute.setAttribute('aria-label', mute.title)
        mute.addEventListener('click', () => host.mute(person))
        const remove = find(row, '[data-do=remove]', HTMLButtonElement)
        remove.hidden = false
        remove.title = `Remove ${person.name} from the call`
        remove.setAttribute('aria-label', remove.title)
        remove.addEventListener('click', () => host.remove(person))
      }
      return row
    }),
  )
}

/** @param {Person} person */
function describe({ isHost, stream }) {
  const parts = []
  if (isHost) parts.push('Host')
  if (!stream) parts.push('Watching')
  else if (!stream.hasAudio) parts.push('Muted')
  return parts.join(' · ')
}
