// The list of conversations, and the way from one to another: the page stays, its address changes.
import { on, post } from "./channel.js"
import { changeSession, focusComposer } from "./composer.js"
import { closeDrawer } from "./drawer.js"
import { follow, refresh } from "./follow.js"
import { addRows, today } from "./groups.js"
import { call, fetchPage, Problem } from "./http.js"
import { addressOf, api, byId, copyOf, openSession, page, setOpenSession } from "./page.js"
import { isDeleted } from "./deletions.js"
import { showWaiting, startThread } from "./sending.js"
import { toast } from "./toast.js"
import { showAll } from "./turns.js"

const PAUSE = 200 // milliseconds after the last key
const POLL = 30_000 // milliseconds: what another browser of the same person did
const list = /** @type {HTMLElement} */ (byId("sessions"))
const search = /** @type {HTMLInputElement} */ (byId("search"))
/** @type {Map<string, number>} */
const updated = new Map()
let visits = 0
let loads = 0
let day = today()

/** @typedef {{id: string, title: string, pinned?: boolean, created_at?: number, updated_at?: number}} Session */

/** Make the list and the history work. */
export function startSessions() {
  fill([...list.querySelectorAll("li")])
  let timer = 0
  search.addEventListener("input", () => {
    clearTimeout(timer)
    timer = setTimeout(() => void load(), PAUSE)
  })
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !search.value) return
    event.stopPropagation()
    search.value = ""
    void load()
  })
  document.addEventListener("click", onLink)
  addEventListener("popstate", () => void open(sessionIn(location.pathname), false))
  byId("side").querySelector("nav").addEventListener("scroll", more, { passive: true })
  on("sessions", () => void load())
  setInterval(() => void poll(), POLL)
}

/** @param {string} path */
const sessionIn = (path) => path.match(/\/c\/([^/]+)$/)?.[1] ?? ""

/** @param {MouseEvent} event */
function onLink(event) {
  const link = /** @type {Element} */ (event.target).closest("a[data-new], .conversations a")
  if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
  event.preventDefault()
  void open(sessionIn(link.pathname), true)
}

/**
 * Show a conversation, "" for a new one. The answer that comes in the one before goes on without us.
 * @param {string} id
 * @param {boolean} pushes whether it is a new step of the history
 */
export async function open(id, pushes) {
  const visit = ++visits
  if (!id) startThread()
  try {
    const fresh = await fetchPage(id)
    if (visit !== visits) return
    if (!fresh) {
      if (!pushes) history.replaceState(null, "", addressOf(openSession()))
      return toast("This conversation is not there any more.")
    }
    if (pushes) history.pushState(null, "", addressOf(id))
    show(id, fresh)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    toast(error.text)
  }
}

/**
 * @param {string} id
 * @param {Document} fresh
 */
function show(id, fresh) {
  changeSession(() => setOpenSession(id))
  document.title = fresh.title
  setHeading(fresh.getElementById("title")?.textContent ?? "")
  showAll(fresh)
  showWaiting()
  follow()
  mark()
  closeDrawer()
  focusComposer()
}

/** Show in the list which conversation is open. */
function mark() {
  for (const link of list.querySelectorAll("a")) {
    link.toggleAttribute("aria-current", false)
    if (link.closest("li")?.dataset.session === openSession()) link.setAttribute("aria-current", "page")
  }
}

/**
 * A message has arrived: its conversation has a name and an address now, and is the newest.
 * @param {{session_id: string, title: string}} sent
 * @param {boolean} isNew whether it is the one that is open
 */
export function arrived(sent, isNew) {
  if (isNew) {
    changeSession(() => setOpenSession(sent.session_id), true)
    history.replaceState(null, "", addressOf(sent.session_id))
    setTitle(sent.title)
  }
  void load()
  post({ kind: "sessions" })
}

/** @param {string} title */
export function setTitle(title) {
  document.title = `${title} · ${page.app}`
  setHeading(title)
}

/** @param {string} title "" for a new conversation, which has a heading of its own */
function setHeading(title) {
  byId("title").textContent = title
  byId("title").hidden = !title
}

/** Fetch the list anew: all, or what fits the search. */
export async function load() {
  const number = ++loads
  const found = await fetchList(search.value.trim())
  if (number !== loads) return // a newer one was asked for: what this one says may be of before
  if (!found || list.querySelector("form")) return // a title is being written: the list is fetched when it is done
  fill(found.sessions.filter(({ id }) => !isDeleted(id)).map(rowOf))
  setNext(found.next)
  const note = byId("no-sessions")
  note.hidden = list.childElementCount > 0
  note.textContent = search.value.trim() ? "Nothing found." : "Your conversations will be here."
  mark()
}

/**
 * Show these rows and no others.
 * @param {HTMLElement[]} rows
 */
function fill(rows) {
  day = today()
  list.replaceChildren()
  addRows(list, rows)
  list.dataset.grouped = "yes"
}

/**
 * @param {string} query
 * @param {string} [after]
 * @returns {Promise<{sessions: Session[], next: string | null} | null>}
 */
async function fetchList(query, after) {
  const asked = new URLSearchParams({ limit: "50", ...(query && { q: query }), ...(after && { after }) })
  try {
    const found = await call("GET", `${api}/sessions?${asked}`)
    return query === search.value.trim() ? found : null
  } catch (error) {
    if (error instanceof Problem) return null
    throw error
  }
}

/** @param {Session} session */
function rowOf({ id, title, pinned, created_at }) {
  const row = copyOf("t-row")
  row.dataset.session = id
  row.dataset.began = created_at
  row.toggleAttribute("data-pinned", Boolean(pinned))
  row.querySelector("a").href = addressOf(id)
  row.querySelector("a span").textContent = title || "Conversation"
  row.querySelector("button").setAttribute("aria-label", `Actions for ${title || "Conversation"}`)
  return row
}

/** @param {string | null} next */
function setNext(next) {
  if (next) list.dataset.next = next
  else delete list.dataset.next
}

/** @param {Event} event */
async function more({ target }) {
  const { scrollHeight, scrollTop, clientHeight } = /** @type {Element} */ (target)
  const { next } = list.dataset
  if (!next || scrollHeight - scrollTop - clientHeight > 200) return
  setNext(null)
  const found = await fetchList(search.value.trim(), next)
  if (!found) return setNext(next)
  addRows(list, found.sessions.filter(({ id }) => !isDeleted(id)).map(rowOf))
  setNext(found.next)
  mark()
}

/** See whether something was said elsewhere in the conversation that is open. */
async function poll() {
  if (document.visibilityState !== "visible" || search.value) return
  if (day !== today()) void load()
  const id = openSession()
  const found = await fetchList("")
  const session = found?.sessions.find((each) => each.id === id)
  if (!session?.updated_at) return
  const before = updated.get(id)
  updated.set(id, session.updated_at)
  if (before !== undefined && before !== session.updated_at) void refresh()
}
