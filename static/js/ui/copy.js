/** @file Copying a link. */

import { toast } from './toast.js'

/**
 * @param {string} link a path or an address
 * @param {string} [what] happens to whoever opens it
 */
export async function copyLink(link, what = 'Anyone with it can join.') {
  const address = new URL(link, location.href).href
  try {
    await navigator.clipboard.writeText(address)
    toast(`Link copied. ${what}`)
  } catch {
    toast(`Copy this link: ${address}`, { ms: 20_000 })
  }
}
