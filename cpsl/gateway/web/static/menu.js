// A menu that opens at a button (https://www.w3.org/WAI/ARIA/apg/patterns/menu-button/).
import { byId } from "./page.js"

const menu = /** @type {HTMLElement} */ (byId("menu"))
const place = new CSSStyleSheet() // no style attributes: the policy of the page forbids them
document.adoptedStyleSheets.push(place)
/** @type {HTMLElement | null} */
let opener = null

/** @returns {HTMLElement[]} */
const items = () => [...menu.querySelectorAll("[role=menuitem]")].filter((each) => each instanceof HTMLElement)

export const isMenuOpen = () => opener !== null

/**
 * @param {HTMLElement} button
 */
export function openMenu(button) {
  closeMenu(false)
  const { left, bottom } = button.getBoundingClientRect()
  place.replaceSync(`.menu { --x: ${Math.round(left)}px; --y: ${Math.round(bottom + 4)}px }`)
  opener = button
  button.setAttribute("aria-expanded", "true")
  menu.hidden = false
  items()[0]?.focus()
}

/** @param {boolean} [returns] whether the focus goes back to the button */
export function closeMenu(returns = true) {
  if (!opener) return
  const button = opener
  opener = null
  menu.hidden = true
  button.setAttribute("aria-expanded", "false")
  if (returns) button.focus()
}

menu.addEventListener("keydown", (event) => {
  const all = items()
  const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement))
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }
  if (event.key in moves) {
    event.preventDefault()
    all[moves[/** @type {keyof typeof moves} */ (event.key)] % all.length].focus()
  } else if (event.key === "Escape") {
    event.stopPropagation()
    closeMenu()
  } else if (event.key === "Tab") {
    closeMenu()
  }
})
document.addEventListener("pointerdown", ({ target }) => {
  if (opener && target instanceof Node && !menu.contains(target) && !opener.contains(target)) closeMenu(false)
})
addEventListener("resize", () => closeMenu(false))
