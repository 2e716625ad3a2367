/** @file Copying a link. */

import { toast } from './toast.js'

/** @param {string} link a path or an address */
export async function copyLink(link) {
  const address = new URL(link, location.href).href
  try {
    await navigator.clipboard.writeText(address)
    toast('Link copied. Whoever opens it can join as a guest.')
  } catch {
    toast(`The link is ${address}`, { ms: 20_000 })
  }
}
