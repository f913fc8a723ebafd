// On small screens the list of conversations is a drawer: while it is open nothing else can be reached.
import { byId } from "./page.js"

const side = /** @type {HTMLElement} */ (byId("side"))
const opener = /** @type {HTMLElement} */ (document.querySelector(".drawer"))
const room = /** @type {HTMLElement} */ (document.querySelector(".room"))

const isOpen = () => document.body.classList.contains("drawn")

/** @param {boolean} open */
function set(open) {
  document.body.classList.toggle("drawn", open)
  opener.setAttribute("aria-expanded", String(open))
  room.inert = open
}

/** Close the drawer, if it is open. @param {boolean} [returns] whether the focus goes back to its button */
export function closeDrawer(returns = false) {
  if (!isOpen()) return
  set(false)
  if (returns) opener.focus()
}

/** Make the drawer work. */
export function startDrawer() {
  const close = /** @type {HTMLElement} */ (side.querySelector(".close"))
  opener.addEventListener("click", () => {
    set(true)
    close.focus()
  })
  close.addEventListener("click", () => closeDrawer(true))
  document.querySelector(".shade")?.addEventListener("click", () => closeDrawer(true))
  side.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOpen()) return
    event.stopPropagation()
    closeDrawer(true)
  })
  matchMedia("(min-width: 60rem)").addEventListener("change", () => closeDrawer())
}
