/**
 * @file Light or dark, before the first paint: what was chosen here, else what the system says.
 * A classic script, so that it runs while the head is parsed.
 */
{
  const key = 'parlor.theme'
  const system = matchMedia('(prefers-color-scheme: dark)')

  /** @returns {string | null} storage may be switched off */
  const chosen = () => {
    try {
      return localStorage.getItem(key)
    } catch {
      return null
    }
  }

  const show = () => {
    document.documentElement.dataset.bsTheme = chosen() ?? (system.matches ? 'dark' : 'light')
  }

  show()
  system.addEventListener('change', show)
  document.addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme')
    if (!button) return
    button.hidden = false
    button.addEventListener('click', () => {
      const other = document.documentElement.dataset.bsTheme === 'dark' ? 'light' : 'dark'
      try {
        // Choosing what the system says anyway means: follow the system again.
        if ((other === 'dark') === system.matches) localStorage.removeItem(key)
        else localStorage.setItem(key, other)
      } catch {
        // Without storage the choice holds for this page only.
      }
      document.documentElement.dataset.bsTheme = other
    })
  })
}
