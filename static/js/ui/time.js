/** @file Times as people read them. */

/**
 * `12:40`, `1:02:03`. The same in Rust: `src/web/shell.rs`.
 *
 * @param {number} ms
 */
export function clockTime(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0')
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/**
 * "Today 14:05", "Yesterday 10:00", "Fri 20 Nov 16:31", with the year when it is another one.
 *
 * @param {Date} date
 * @param {Date} now
 */
export function dayAndTime(date, now) {
  const time = date.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })
  const midnight = (/** @type {Date} */ d) => new Date(d.getFullYear(), d.getMonth(), d.getDate())
  const days = Math.round((midnight(now).getTime() - midnight(date).getTime()) / 86_400_000)
  if (days === 0) return `Today ${time}`
  if (days === 1) return `Yesterday ${time}`
  const day = date.toLocaleDateString(undefined, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    ...(date.getFullYear() !== now.getFullYear() && { year: 'numeric' }),
  })
  return `${day} ${time}`
}

/**
 * Shows every `<time datetime>` in the visitor's own zone.
 *
 * @param {ParentNode} root
 */
export function localTimes(root) {
  for (const element of root.querySelectorAll('time[datetime]')) {
    const date = new Date(element.getAttribute('datetime') ?? '')
    if (Number.isNaN(date.getTime())) continue
    element.textContent = dayAndTime(date, new Date())
    element.setAttribute('title', date.toLocaleString())
  }
}

/**
 * Lets every `<time data-elapsed="ms">` run on.
 *
 * @param {ParentNode} root
 * @returns {() => void} stops them
 */
export function runElapsed(root) {
  const since = performance.now()
  const tick = () => {
    for (const element of root.querySelectorAll('time[data-elapsed]')) {
      const begun = Number(element.getAttribute('data-elapsed'))
      element.textContent = clockTime(begun + performance.now() - since)
    }
  }
  tick()
  const timer = setInterval(tick, 1000)
  return () => clearInterval(timer)
}
