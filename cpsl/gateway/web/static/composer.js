// Where one writes: Enter sends, Shift+Enter is a new line; on a touch screen Enter is one, too.
import { tell } from "./announce.js"
import { attached, clearAttached, onAttached, whenUploaded } from "./attachments.js"
import { draft, keepDraft, keepDrafts } from "./drafts.js"
import { stop } from "./follow.js"
import { byId } from "./page.js"
import { send } from "./sending.js"

const MOST_ROWS = 10
const field = /** @type {HTMLTextAreaElement} */ (byId("message"))
const isTouch = matchMedia("(hover: none) and (pointer: coarse)")
let isBusy = false

/** Make the composer work. */
export function startComposer() {
  keepDrafts(field)
  showDraft(field.value)
  onAttached(update)
  field.addEventListener("input", update)
  field.addEventListener("keydown", onKey)
  byId("composer").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault()
    void submit()
  })
  byId("stop").addEventListener("click", () => {
    void stop()
    field.focus()
  })
  // Below the text, the box belongs to the field: also where a button is that can do nothing now.
  document.querySelector(".tools")?.addEventListener("mousedown", (event) => {
    if (/** @type {Element} */ (event.target).closest("button")) return
    event.preventDefault()
    field.focus()
  })
  if (isTouch.matches) field.enterKeyHint = "enter"
}

/**
 * Another conversation is opened, or the new one has got its id: what is being written stays where it was, or moves on.
 * @param {() => void} change
 * @param {boolean} [moves]
 */
export function changeSession(change, moves = false) {
  keepDraft(moves ? "" : field.value)
  change()
  if (moves) keepDraft(field.value)
  else restore()
}

const restore = () => showDraft("")

/**
 * Show the draft of the open conversation.
 * @param {string} typed before the scripts were here: it stays, and comes after what was begun earlier
 */
function showDraft(typed) {
  field.value = [...new Set([draft(), typed])].filter(Boolean).join("\n\n")
  update()
}

/**
 * Put a text back that could not be sent, before what was written since.
 * @param {string} text
 */
export function giveBack(text) {
  field.value = [text, field.value].filter(Boolean).join("\n\n")
  keepDraft(field.value)
  update()
}

export function focusComposer() {
  if (!isTouch.matches) field.focus({ preventScroll: true })
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  const isComposing = event.isComposing || event.keyCode === 229 // the key chooses a word
  if (event.key !== "Enter" || isComposing) return
  const sends = isTouch.matches ? event.ctrlKey || event.metaKey : !event.shiftKey && !event.altKey
  if (!sends) return
  event.preventDefault()
  void submit()
}

async function submit() {
  if (isBusy || isEmpty()) return
  focusComposer() // the button that was pressed is disabled now
  isBusy = true
  update()
  const isReady = await whenUploaded()
  isBusy = false
  if (isReady && !isEmpty()) sendNow()
  else if (!isReady) complain()
  update()
}

function sendNow() {
  const [text, files] = [field.value.trim(), attached()]
  field.value = ""
  keepDraft("")
  clearAttached()
  send(text, files)
}

/** A file is not there: it has to go before the message can. */
function complain() {
  tell("A file could not be uploaded. Remove it, or attach it again.")
  byId("chips").querySelector("[data-failed] button")?.focus()
}

const isEmpty = () => !field.value.trim() && !attached().length && !byId("chips").childElementCount

function update() {
  byId("send").disabled = isBusy || isEmpty()
  if (!CSS.supports("field-sizing", "content")) grow()
}

/** Where the style sheet cannot let the field grow. */
function grow() {
  field.rows = 1
  while (field.rows < MOST_ROWS && field.scrollHeight > field.clientHeight + 2) field.rows += 1
}
