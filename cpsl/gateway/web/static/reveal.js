// Show or hide what is typed into a masked field.

/**
 * Give each `input[data-reveal]` in an element its button.
 * @param {ParentNode} root
 */
export function addReveals(root) {
  for (const input of root.querySelectorAll("input[data-reveal]")) {
    if (!input.closest(".reveal")) addReveal(/** @type {HTMLInputElement} */ (input), labelOf(root, input.id))
  }
}

/**
 * @param {ParentNode} root
 * @param {string} id
 */
const labelOf = (root, id) => root.querySelector(`label[for="${CSS.escape(id)}"]`)?.textContent?.trim() ?? ""

/**
 * @param {HTMLInputElement} input
 * @param {string} label
 */
function addReveal(input, label) {
  const box = document.createElement("span")
  box.className = "reveal"
  const button = document.createElement("button")
  button.type = "button"
  button.className = "round"
  button.append(useIcon("eye"))
  const show = (/** @type {boolean} */ shown) => {
    input.type = shown ? "text" : "password"
    button.setAttribute("aria-pressed", String(shown))
    button.querySelector("use")?.setAttribute("href", shown ? "#icon-eye-off" : "#icon-eye")
  }
  const name = document.createElement("span")
  name.className = "visually-hidden"
  name.textContent = `Show ${label}`
  button.append(name)
  button.title = "Show"
  show(false)
  button.addEventListener("click", () => show(input.type === "password"))
  input.form?.addEventListener("submit", () => show(false)) // so that browsers know it for a password
  input.replaceWith(box)
  box.append(input, button)
}

/**
 * An icon of the page's sprite.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function useIcon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use")
  use.setAttribute("href", `#icon-${name}`)
  svg.classList.add("icon")
  svg.setAttribute("aria-hidden", "true")
  svg.append(use)
  return svg
}
