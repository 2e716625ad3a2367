/** @file The home page: live times, copying links, asking before a room is deleted. */

import { confirmForms } from '../ui/confirm.js'
import { copyLink } from '../ui/copy.js'
import { runElapsed } from '../ui/time.js'

runElapsed(document)
confirmForms(document)

for (const anchor of document.querySelectorAll('a[data-copy]')) {
  const words = anchor.querySelector('span')
  if (words) words.textContent = 'Copy link'
  anchor.addEventListener('click', (event) => {
    event.preventDefault()
    copyLink(anchor.getAttribute('data-copy') ?? '')
  })
}

// Without a script the form is simply there.
for (const button of document.querySelectorAll('button[data-toggles]')) {
  const form = document.getElementById(button.getAttribute('data-toggles') ?? '')
  if (!(button instanceof HTMLButtonElement) || !form) continue
  const show = (/** @type {boolean} */ open) => {
    form.hidden = !open
    button.setAttribute('aria-expanded', String(open))
  }
  button.hidden = false
  show(false)
  button.addEventListener('click', () => {
    show(form.hidden === true)
    const input = form.querySelector('input:not([type=hidden])')
    if (!form.hidden && input instanceof HTMLInputElement) input.focus()
  })
}

// One menu at a time, and a click elsewhere closes it.
document.addEventListener('click', (event) => {
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (!(event.target instanceof Node) || !menu.contains(event.target))
      menu.removeAttribute('open')
  }
})
