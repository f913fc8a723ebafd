// What the server says about this page, and where things are.

const { app = "", base = "", user = "visitor", maxFile = "0" } = document.body.dataset

/** The app's name, the prefix of its pages, who is here, and the largest file in bytes. */
export const page = { app, base, user, maxFile: Number(maxFile) }

/** The API of the app. */
export const api = `/api/v1/app/${encodeURIComponent(app)}`

/** @returns {string} the open conversation's id, "" for a new one */
export const openSession = () => document.body.dataset.session ?? ""

/** @param {string} id */
export function setOpenSession(id) {
  document.body.dataset.session = id
  for (const link of document.querySelectorAll("a[data-sign-in]")) link.setAttribute("href", signInUrl())
}

/** @param {string} id */
export const addressOf = (id) => (id ? `${base}/c/${id}` : base || "/")

/**
 * The element with this id, which the template has.
 * @param {string} id
 * @returns {any}
 */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id))

/**
 * A copy of what is in a template of the page.
 * @param {string} id
 * @returns {any}
 */
export const copyOf = (id) => byId(id).content.firstElementChild.cloneNode(true)

/**
 * A size as people read it.
 * @param {number} bytes
 */
export function sizeText(bytes) {
  if (bytes < 1000) return `${bytes} bytes`
  const units = ["kB", "MB", "GB"]
  let value = bytes / 1000
  while (value >= 999.5 && units.length > 1) {
    value /= 1000
    units.shift()
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[0]}`
}

/** Where to sign in, to come back to the open conversation. */
export const signInUrl = () => `${base}/sign-in?next=${encodeURIComponent(addressOf(openSession()))}`
