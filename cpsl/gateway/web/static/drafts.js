// What was begun to be written, kept for each conversation.
import { openSession } from "./page.js"
import { inherit, keep, kept } from "./storage.js"

const DELAY = 200 // milliseconds
let timer = 0
const name = () => `draft:${openSession() || "new"}`

/** @param {HTMLTextAreaElement} field */
export function keepDrafts(field) {
  inherit("draft:")
  field.addEventListener("input", () => {
    clearTimeout(timer)
    timer = setTimeout(() => keepDraft(field.value), DELAY)
  })
  const now = () => keepDraft(field.value)
  addEventListener("pagehide", now)
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && now())
}

/** @param {string} text of the open conversation */
export function keepDraft(text) {
  clearTimeout(timer)
  keep(name(), text || null)
}

/** @returns {string} the draft of the open conversation */
export const draft = () => kept(name()) ?? ""
