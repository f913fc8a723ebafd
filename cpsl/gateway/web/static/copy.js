// Copy buttons: of a block of code, and of a whole answer.
import { tell } from "./announce.js"

const SHOWN = 1600 // milliseconds

/** @param {Event} event */
export async function copyFrom(event) {
  const button = /** @type {Element} */ (event.target).closest("[data-copy], [data-copy-turn]")
  if (!(button instanceof HTMLElement)) return
  await copy("copyTurn" in button.dataset ? answerOf(button) : codeOf(button))
  mark(button)
}

/** @param {HTMLElement} button */
const codeOf = (button) => button.closest("figure, .code")?.querySelector("pre")?.textContent ?? ""

/** @param {HTMLElement} button */
const answerOf = (button) => textOf(/** @type {HTMLElement} */ (button.closest(".turn")))

/**
 * What was answered in a turn, as text.
 * @param {HTMLElement} turn
 */
export function textOf(turn) {
  const blocks = /** @type {NodeListOf<HTMLElement>} */ (turn.querySelectorAll("[data-part=answer]"))
  return [...blocks].map((each) => each.innerText.trim()).join("\n\n")
}

/** @param {string} text */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  // Over plain http from another machine browsers offer the old way only.
  const area = document.createElement("textarea")
  area.value = text
  area.className = "visually-hidden"
  document.body.append(area)
  area.select()
  document.execCommand("copy")
  area.remove()
}

/** @param {HTMLElement} button */
function mark(button) {
  const use = button.querySelector("use")
  button.dataset.copied = "yes"
  use?.setAttribute("href", "#icon-check")
  tell("Copied")
  setTimeout(() => {
    delete button.dataset.copied
    use?.setAttribute("href", "#icon-copy")
  }, SHOWN)
}
