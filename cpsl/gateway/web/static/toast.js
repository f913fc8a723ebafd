// A short word at the bottom of the page, perhaps with something to do about it.
import { byId } from "./page.js"

/**
 * @param {string} text
 * @param {{action?: string, act?: () => void, seconds?: number}} [more]
 * @returns {() => void} takes it away
 */
export function toast(text, { action, act, seconds = 5 } = {}) {
  const box = document.createElement("div")
  box.className = "toast"
  box.append(text)
  const close = () => {
    clearTimeout(timer)
    box.remove()
  }
  if (action && act) box.append(button(action, () => (close(), act())))
  const timer = setTimeout(close, seconds * 1000)
  byId("toasts").append(box)
  return close
}

/**
 * @param {string} text
 * @param {() => void} act
 */
function button(text, act) {
  const made = document.createElement("button")
  made.type = "button"
  made.className = "button"
  made.textContent = text
  made.addEventListener("click", act)
  return made
}
