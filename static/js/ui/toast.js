/** @file Short messages that go by themselves. */

/** Long enough to read two lines. */
const SHOWN_MS = 6000

/**
 * @param {string} text
 * @param {{ link?: { text: string, href: string }, button?: { text: string, run: () => void }, ms?: number }} [more]
 */
export function toast(text, { link, button, ms = SHOWN_MS } = {}) {
  const note = document.createElement('div')
  note.className = 'toast-note'
  const words = document.createElement('span')
  words.textContent = text
  note.append(words)
  if (link) {
    const anchor = document.createElement('a')
    anchor.href = link.href
    anchor.textContent = link.text
    // A call goes on while somebody looks elsewhere.
    anchor.target = '_blank'
    note.append(anchor)
  }
  if (button) {
    const action = document.createElement('button')
    action.type = 'button'
    action.textContent = button.text
    action.addEventListener('click', () => {
      note.remove()
      button.run()
    })
    note.append(action)
  }
  document.getElementById('toasts')?.append(note)
  setTimeout(() => note.remove(), ms)
}
