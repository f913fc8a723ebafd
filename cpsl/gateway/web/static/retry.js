// Ask once more: the same text and files, as a new message.
import { byId } from "./page.js"
import { send } from "./sending.js"

/** Make the buttons work, also those that are still to come. */
export function startRetries() {
  byId("turns").addEventListener("click", (/** @type {MouseEvent} */ { target }) => {
    const button = /** @type {Element} */ (target).closest("[data-retry]")
    const turn = /** @type {HTMLElement | undefined} */ (button?.closest(".turn"))
    if (!turn) return
    send(turn.querySelector(".bubble")?.textContent ?? "", filesOf(turn))
    byId("message").focus()
  })
}

/** @param {HTMLElement} turn */
function filesOf(turn) {
  return [...turn.querySelectorAll(".message a.attachment")].map((link) => ({
    id: /** @type {HTMLAnchorElement} */ (link).pathname.split("/").pop() ?? "",
    name: link.querySelector("span")?.textContent ?? "",
  }))
}
