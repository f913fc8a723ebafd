// Pages that are forms: secrets can be shown, and nothing is sent twice.
import { addReveals } from "./reveal.js"

addReveals(document)

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target)
  if (form.dataset.sent) event.preventDefault()
  form.dataset.sent = "yes"
})

// A page that comes back from the history has its forms as they were: they may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent
})
