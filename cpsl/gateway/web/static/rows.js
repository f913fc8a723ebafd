// What can be done with a conversation in the list: rename, pin, export, delete.
import { post } from "./channel.js"
import { deleteSoon } from "./deletions.js"
import { call, Problem } from "./http.js"
import { closeMenu, isMenuOpen, openMenu } from "./menu.js"
import { api, byId, openSession } from "./page.js"
import { load, open, setTitle } from "./sessions.js"
import { toast } from "./toast.js"

const MOST = 200 // characters of a title
const list = /** @type {HTMLElement} */ (byId("sessions"))
const menu = /** @type {HTMLElement} */ (byId("menu"))
/** @type {HTMLElement | null} */
let row = null

/** Make the menus of the list work. */
export function startRows() {
  list.addEventListener("click", ({ target }) => {
    const button = /** @type {Element} */ (target).closest("button[aria-haspopup]")
    if (button instanceof HTMLElement) toggle(button)
  })
  menu.addEventListener("click", (event) => {
    const item = /** @type {Element} */ (event.target).closest("[data-do]")
    const current = row && rowOf(row.dataset.session ?? "") // the list may be another since the menu opened
    if (item instanceof HTMLElement && current) act(item.dataset.do ?? "", current)
  })
}

/**
 * @param {string} id
 * @returns {HTMLElement | null}
 */
const rowOf = (id) => list.querySelector(`li[data-session="${CSS.escape(id)}"]`)

/** @param {HTMLElement} button */
function toggle(button) {
  if (isMenuOpen()) return closeMenu()
  row = button.closest("li")
  if (!row) return
  const words = menu.querySelector("[data-do=pin] span")
  if (words) words.textContent = isPinned(row) ? "Unpin" : "Pin"
  for (const format of ["markdown", "json"]) {
    const link = /** @type {HTMLAnchorElement} */ (menu.querySelector(`[data-do=${format}]`))
    link.href = `${api}/sessions/${row.dataset.session}/export?format=${format}`
  }
  openMenu(button)
}

/** @param {HTMLElement} of */
const isPinned = (of) => "pinned" in of.dataset

/** @param {HTMLElement} of */
const titleOf = (of) => of.querySelector("a span")?.textContent ?? ""

/**
 * @param {string} what
 * @param {HTMLElement} of
 */
function act(what, of) {
  closeMenu(what !== "delete")
  if (what === "rename") rename(of)
  else if (what === "pin") void change(of, { pinned: !isPinned(of) })
  else if (what === "delete") remove(of)
}

/** @param {HTMLElement} of */
function remove(of) {
  const id = of.dataset.session ?? ""
  deleteSoon(id, titleOf(of))
  if (id === openSession()) void open("", true)
  else byId("message").focus()
}

/**
 * @param {HTMLElement} of
 * @param {{title?: string, pinned?: boolean}} json
 */
async function change(of, json) {
  try {
    await call("PATCH", `${api}/sessions/${of.dataset.session}`, { json })
    if (json.title && of.dataset.session === openSession()) setTitle(json.title)
    post({ kind: "sessions" })
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    toast(error.text)
  }
  await load()
  focusRow(of.dataset.session ?? "")
}

/** @param {string} id */
function focusRow(id) {
  if (document.activeElement !== document.body) return // somebody went on
  rowOf(id)?.querySelector("button")?.focus()
}

/**
 * Write a new title in the place of the old: Enter keeps it, Escape does not.
 * @param {HTMLElement} of
 */
function rename(of) {
  const before = titleOf(of)
  const form = document.createElement("form")
  const field = document.createElement("input")
  field.value = before
  field.maxLength = MOST
  field.setAttribute("aria-label", "New title")
  form.append(field)
  const [link, button] = of.children
  const parts = [link, button]
  of.replaceChildren(form)
  let isDone = false
  const end = (/** @type {boolean} */ keeps) => {
    if (isDone) return
    isDone = true
    of.replaceChildren(...parts)
    const title = field.value.trim()
    if (keeps && title && title !== before) {
      parts[0].querySelector("span")?.replaceChildren(title)
      void change(of, { title })
    } else void load()
    /** @type {HTMLElement} */ (parts[1]).focus()
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    end(true)
  })
  field.addEventListener("blur", () => end(true))
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return
    event.stopPropagation()
    end(false)
  })
  field.select()
}
