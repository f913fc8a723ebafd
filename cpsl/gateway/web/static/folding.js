// Long messages, as pasted logs, are folded: a button shows the rest.
import { stay } from "./scroll.js"

const LINES = 18
const CHARACTERS = 1200 // as in transcript.py; twelve lines stay, so that what is hidden is worth a button

/**
 * Whether a message is folded.
 * @param {string} text
 */
export const isLong = (text) => text.length > CHARACTERS || text.split("\n").length > LINES

/**
 * Give each long message in an element its button.
 * @param {ParentNode} root
 */
export function addFolds(root) {
  for (const bubble of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(".bubble.long"))) {
    if (!bubble.nextElementSibling?.matches(".unfold")) addFold(bubble)
  }
}

/** @param {HTMLElement} bubble */
function addFold(bubble) {
  const button = document.createElement("button")
  button.type = "button"
  button.className = "unfold"
  const show = (/** @type {boolean} */ whole) => {
    bubble.classList.toggle("whole", whole)
    button.setAttribute("aria-expanded", String(whole))
    button.textContent = whole ? "Show less" : "Show more"
  }
  show(false)
  button.addEventListener("click", () => {
    stay()
    show(!bubble.classList.contains("whole"))
    if (button.getBoundingClientRect().top < 0) button.scrollIntoView({ block: "center" })
  })
  // The browser's own search, or a selection, goes on to what is folded.
  bubble.addEventListener("scroll", () => show(true), { once: true })
  bubble.after(button)
}
