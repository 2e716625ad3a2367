/** @file Asking before something cannot be undone. */

/**
 * @param {{ title: string, text: string, button: string, danger?: boolean }} question
 * @returns {Promise<boolean>}
 */
export function confirmAction({ title, text, button, danger = true }) {
  const dialog = document.createElement('dialog')
  dialog.className = 'ask'
  dialog.setAttribute('aria-label', title)
  const heading = document.createElement('h2')
  heading.textContent = title
  const words = document.createElement('p')
  words.className = 'muted mb-0'
  words.textContent = text
  const form = document.createElement('form')
  form.method = 'dialog'
  form.className = 'actions'
  form.append(
    choice('Cancel', 'no', 'btn-quiet'),
    choice(button, 'yes', danger ? 'btn-rec' : 'btn-accent'),
  )
  dialog.append(heading, words, form)
  document.body.append(dialog)
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue === 'yes')
    })
  })
}

/**
 * @param {string} text
 * @param {string} value
 * @param {string} look
 */
function choice(text, value, look) {
  const button = document.createElement('button')
  button.className = `btn ${look}`
  button.value = value
  button.textContent = text
  return button
}

/**
 * Forms with `data-confirm` are sent only after a yes.
 *
 * @param {ParentNode} root
 */
export function confirmForms(root) {
  root.addEventListener('submit', async (event) => {
    const form = event.target
    if (!(form instanceof HTMLFormElement) || !form.dataset.confirm || form.dataset.confirmed)
      return
    event.preventDefault()
    const yes = await confirmAction({
      title: form.dataset.confirm,
      text: form.dataset.confirmText ?? '',
      button: form.dataset.confirmButton ?? 'Yes',
    })
    if (!yes) return
    form.dataset.confirmed = 'yes'
    form.requestSubmit()
  })
}
