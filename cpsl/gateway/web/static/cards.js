// Cards of integrations: a window to connect in, a form for secrets, "Skip", and how long they wait.
import { copyFrom } from "./copy.js"
import { choose } from "./files.js"
import { call, Problem } from "./http.js"
import { on } from "./channel.js"
import { refresh } from "./follow.js"
import { byId } from "./page.js"

const WINDOW = "popup,width=560,height=760"
const NAME = "capsule-connect" // connecting.js knows by it what the window is for
const SOON = 3600 // seconds: what waits for longer needs no clock

/** Make all cards work, also those that are still to come. */
export function startCards() {
  const turns = byId("turns")
  turns.addEventListener("click", (/** @type {MouseEvent} */ event) => onClick(event))
  turns.addEventListener("submit", (/** @type {SubmitEvent} */ event) => onSubmit(event))
  setInterval(showTime, 1000)
  showTime()
  on("connected", () => void refresh())
}

/** @param {MouseEvent} event */
function onClick(event) {
  const target = /** @type {Element} */ (event.target)
  const card = /** @type {HTMLElement | null} */ (target.closest(".card"))
  void copyFrom(event)
  if (card && target.closest("[data-choose]")) choose(card)
  if (card && target.closest("[data-skip]")) void answer(card, { declined: true })
  const link = target.closest("a[data-popup]")
  if (link instanceof HTMLAnchorElement && isPlain(event)) openWindow(event, link)
}

/** @param {MouseEvent} event */
const isPlain = (event) => !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0

/**
 * Connect in a window of its own, so that the conversation stays. Where that is blocked, the link opens a tab.
 * @param {MouseEvent} event
 * @param {HTMLAnchorElement} link
 */
function openWindow(event, link) {
  const opened = window.open(link.href, NAME, WINDOW)
  if (opened) event.preventDefault()
  opened?.focus()
}

/** @param {SubmitEvent} event */
function onSubmit(event) {
  const form = /** @type {HTMLFormElement} */ (event.target)
  const card = /** @type {HTMLElement | null} */ (form.closest(".card"))
  if (!card || !("form" in form.dataset)) return
  event.preventDefault()
  const values = [...new FormData(form)].filter(([name]) => name !== "csrf_token")
  void answer(card, { fields: Object.fromEntries(values) })
}

/**
 * Answer a prompt. The stream then closes its card.
 * @param {HTMLElement} card
 * @param {{fields?: Record<string, unknown>, declined?: boolean}} json
 */
async function answer(card, json) {
  const turn = card.dataset.turn ?? card.closest("section")?.dataset.turn
  enable(card, false)
  showProblem(card, "")
  try {
    await call("POST", `/api/v1/turns/${turn}/prompts/${card.dataset.prompt}`, { json })
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    if (error.code === "prompt_closed") return void refresh() // another tab was faster: the stream tells
    showProblem(card, error.text)
    enable(card, true)
  }
}

/**
 * @param {HTMLElement} card
 * @param {boolean} isEnabled
 */
function enable(card, isEnabled) {
  // Only the buttons: a field that is disabled would lose its focus, and a reader its place.
  for (const button of card.querySelectorAll(".actions button")) {
    button.toggleAttribute("disabled", !isEnabled)
  }
}

/**
 * Say in a card what went wrong, "" for nothing.
 * @param {HTMLElement} card
 * @param {string} text
 */
export function showProblem(card, text) {
  const old = card.querySelector(":scope > [role=alert]")
  if (!text) return old?.remove()
  const line = old ?? document.createElement("p")
  line.className = "error"
  line.setAttribute("role", "alert")
  line.textContent = text
  if (!old) card.append(line)
}

/** Say how long cards wait, where it is not long any more. */
function showTime() {
  for (const clock of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#turns .countdown"))) {
    const left = Math.max(0, Number(clock.dataset.until) - Date.now() / 1000)
    clock.hidden = left > SOON
    clock.textContent = timeText(left)
  }
}

/** @param {number} seconds */
function timeText(seconds) {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s left`
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} left`
}
