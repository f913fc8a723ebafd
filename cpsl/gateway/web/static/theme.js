// Runs before the first paint, so that no page flashes in the wrong colours: light, dark, or as the system has it.
(() => {
  const root = document.documentElement
  const names = ["system", "light", "dark"]
  /** @type {Record<string, string>} */
  const icons = { system: "system", light: "sun", dark: "moon" }

  const read = () => {
    try {
      const kept = localStorage.getItem("capsule:theme") ?? ""
      return names.includes(kept) ? kept : "system"
    } catch {
      return "system" // a browser that keeps nothing
    }
  }

  /** @param {string} theme */
  const apply = (theme) => {
    if (theme === "system") delete root.dataset.theme
    else root.dataset.theme = theme
    const button = document.getElementById("theme")
    if (!button) return
    button.hidden = false
    button.setAttribute("aria-label", `Theme: ${theme}`)
    button.title = `Theme: ${theme}`
    button.querySelector("use")?.setAttribute("href", `#icon-${icons[theme]}`)
  }

  const next = () => {
    const theme = names[(names.indexOf(read()) + 1) % names.length]
    try {
      localStorage.setItem("capsule:theme", theme)
    } catch {
      // then it holds for this page only
    }
    apply(theme)
  }

  root.dataset.scripts = "yes"
  apply(read())
  addEventListener("storage", () => apply(read()))
  document.addEventListener("DOMContentLoaded", () => {
    apply(read())
    document.getElementById("theme")?.addEventListener("click", next)
  })
})()
