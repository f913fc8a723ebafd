// The conversation as it stands in the page: turns, and the parts that they are made of.
import { tell, tellState, WORDS } from "./announce.js"
import { textOf } from "./copy.js"
import { addFolds, isLong } from "./folding.js"
import { addReveals } from "./reveal.js"
import { byId, copyOf } from "./page.js"
import { toEnd } from "./scroll.js"

/** @typedef {import("./outbox.js").Entry} Entry */

const FINAL = ["done", "stopped", "failed"]
const list = byId("turns")
/** @type {WeakMap<Element, string>} */
const sources = new WeakMap()

/** @returns {HTMLElement[]} those that the server knows */
export const turns = () => [...list.querySelectorAll("section.turn[data-turn]")]

/** @param {HTMLElement} turn */
export const isOver = (turn) => FINAL.includes(turn.dataset.state ?? "")

/** @param {string} id */
export const turnOf = (id) => /** @type {HTMLElement | null} */ (document.getElementById(`turn-${id}`))

/** The first turn that is not over yet. */
export const openTurn = () => turns().find((turn) => !isOver(turn))

/**
 * The element that the server's HTML is.
 * @param {string} html
 */
function made(html) {
  const template = document.createElement("template")
  template.innerHTML = html
  return /** @type {HTMLElement | null} */ (template.content.firstElementChild)
}

/**
 * Show a message that the server does not have yet.
 * @param {Entry} entry
 */
export function showPending(entry) {
  if (document.getElementById(`pending-${entry.id}`)) return
  const turn = copyOf("t-turn")
  turn.id = `pending-${entry.id}`
  turn.querySelector(".bubble").textContent = entry.text
  turn.querySelector(".bubble").hidden = !entry.text
  turn.querySelector(".bubble").classList.toggle("long", isLong(entry.text))
  addFolds(turn)
  if (entry.files.length) turn.querySelector(".bubble").after(fileList(entry.files))
  list.append(turn)
  toEnd()
}

/** @param {{name: string}[]} files */
function fileList(files) {
  const all = document.createElement("ul")
  all.className = "attachments"
  for (const { name } of files) {
    const item = document.createElement("li")
    const label = document.createElement("span")
    item.className = "attachment"
    label.textContent = name
    item.append(label)
    all.append(item)
  }
  return all
}

/**
 * Say below a message why it is still there, "" for nothing.
 * @param {string} id of the entry
 * @param {string} text
 */
export function notePending(id, text) {
  const note = document.querySelector(`#pending-${CSS.escape(id)} .pending-note`)
  if (!(note instanceof HTMLElement)) return
  note.hidden = !text
  if (note.lastElementChild) note.lastElementChild.textContent = text
}

/**
 * The server has a message: what stood for it becomes a turn.
 * @param {string} entryId
 * @param {{request_id: string, html: string, after?: number}} sent
 */
export function showSent(entryId, sent) {
  const pending = document.getElementById(`pending-${entryId}`)
  if (turnOf(sent.request_id)) return pending?.remove()
  const turn = pending ?? copyOf("t-turn")
  const state = openTurn() ? "queued" : "sent" // another answer is still coming, or this one begins at once
  turn.id = `turn-${sent.request_id}`
  turn.dataset.turn = sent.request_id
  turn.dataset.after = String(sent.after ?? 0)
  const message = made(sent.html)
  if (message) turn.replaceChildren(message)
  addFolds(turn)
  if (!pending) list.insertBefore(turn, list.querySelector(".turn[data-state=pending]"))
  setState(turn, state)
  if (state === "queued") tellState(state)
}

/** @param {string} entryId */
export function removePending(entryId) {
  document.getElementById(`pending-${entryId}`)?.remove()
}

/**
 * Put a part where it belongs: in the place of the one with its id, or at the end. What did not change is not touched,
 * so that a selection, or what somebody types into a card, stays.
 * @param {HTMLElement} turn
 * @param {string} id
 * @param {string} html
 */
export function putPart(turn, id, html) {
  const old = document.getElementById(id)
  if (old && sources.get(old) === html) return
  const part = made(html)
  if (!part) return old?.remove()
  enhance(part)
  if (old && turn.contains(old)) replacePart(old, part, html)
  else turn.insertBefore(part, turn.querySelector(":scope > :is(.working, .turn-end)"))
  sources.set(part, html)
}

/**
 * Of an answer, the blocks at the beginning that are as they were stay, and a selection in them.
 * @param {Element} old
 * @param {Element} part
 * @param {string} html
 */
function replacePart(old, part, html) {
  if (old.className !== "answer" || part.className !== "answer") return swap(old, part)
  const next = [...part.childNodes]
  let same = 0
  while (old.childNodes[same] && next[same]?.isEqualNode(old.childNodes[same])) same += 1
  while (old.childNodes[same]) old.childNodes[same].remove()
  old.append(...next.slice(same))
  sources.set(old, html)
}

/**
 * Put a card in the place of another. Who was in it goes on writing: else the focus would be lost.
 * @param {Element} old
 * @param {Element} part
 */
function swap(old, part) {
  const hadFocus = old.contains(document.activeElement)
  old.replaceWith(part)
  if (hadFocus) byId("message").focus({ preventScroll: true })
}

/**
 * News of the work that are no part of the answer.
 * @param {HTMLElement} turn
 * @param {{message: string, detail?: string | null}} news
 */
export function putNews(turn, { message, detail }) {
  const line = turn.querySelector(":scope > .working")
  if (!line) return
  const [words, more] = [line.querySelector(".news"), line.querySelector("small")]
  if (words) words.textContent = message
  if (more) more.textContent = detail ?? ""
}

/**
 * @param {HTMLElement} turn
 * @param {string} state
 * @param {string} [message]
 */
export function setState(turn, state, message = "") {
  const wasOver = isOver(turn)
  turn.dataset.state = state
  showWorking(turn)
  if (!FINAL.includes(state)) return
  addEnd(turn, message)
  if (!wasOver) tell(textOf(turn))
}

/** @param {HTMLElement} turn */
function showWorking(turn) {
  const { state = "" } = turn.dataset
  const line = turn.querySelector(":scope > .working")
  if (!["sent", "queued", "answering"].includes(state)) return line?.remove()
  if (!line) turn.append(copyOf("t-working"))
  const news = turn.querySelector(":scope > .working > .news")
  if (state === "queued") putNews(turn, { message: WORDS.queued })
  else if (news?.textContent === WORDS.queued) putNews(turn, { message: "" })
}

/**
 * What can be done with a turn that is over.
 * @param {HTMLElement} turn
 * @param {string} [message]
 */
function addEnd(turn, message = "") {
  turn.querySelector(":scope > .turn-end")?.remove()
  const { state, failure } = turn.dataset
  const end = copyOf("t-end")
  const word = end.querySelector("p")
  const isTold = turn.querySelector("[data-part=error]") !== null
  word.textContent = state === "stopped" ? "Stopped" : state === "failed" && !isTold ? message || failure || "Failed" : ""
  word.hidden = !word.textContent
  end.querySelector("[data-retry]").hidden = state === "done"
  end.querySelector("[data-copy-turn]").hidden = !turn.querySelector("[data-part=answer]")
  turn.append(end)
}

/**
 * Make more of what the server sent, which also works without.
 * @param {Element} part
 */
function enhance(part) {
  for (const button of part.querySelectorAll("[data-copy]")) button.toggleAttribute("hidden", false)
  addReveals(part)
  addFolds(part)
}

/** Make more of all turns that came with the page. */
export function enhanceAll() {
  enhance(list)
  for (const turn of turns()) {
    if (isOver(turn)) turn.querySelector(":scope > .turn-end") ?? addEnd(turn)
    else showWorking(turn)
  }
}

/**
 * Take over what a fresh copy of the page has and this one lacks: turns, and cards that changed.
 * @param {Document} fresh
 */
export function merge(fresh) {
  for (const theirs of /** @type {NodeListOf<HTMLElement>} */ (fresh.querySelectorAll("section.turn[data-turn]"))) {
    const ours = document.getElementById(theirs.id)
    if (ours) mergeCards(ours, theirs)
    else list.insertBefore(document.adoptNode(theirs), list.querySelector(".turn[data-state=pending]"))
  }
  enhanceAll()
}

/**
 * @param {HTMLElement} ours
 * @param {HTMLElement} theirs
 */
function mergeCards(ours, theirs) {
  // Of a turn that is not over its stream tells, but not what somebody connected meanwhile.
  const changing = isOver(ours) ? "[data-part=block], [data-part=prompt]" : "[data-kind=connect]"
  for (const card of /** @type {NodeListOf<HTMLElement>} */ (theirs.querySelectorAll(`:scope > :is(${changing})`))) {
    const old = document.getElementById(card.id)
    if (!old || old.className === card.className) continue
    swap(old, document.adoptNode(card))
    tell(card.innerText)
  }
}

/**
 * Show another conversation.
 * @param {Document} fresh
 */
export function showAll(fresh) {
  const theirs = fresh.getElementById("turns")
  list.replaceChildren(...(theirs ? [...theirs.children].map((each) => document.adoptNode(each)) : []))
  enhanceAll()
  toEnd()
}
