// What screen readers are told: how the answer stands, and each whole message once, never a piece of it.
import { byId } from "./page.js"

const KEPT = 20_000 // milliseconds: long enough to be read out, not a second transcript for ever
/** @type {Record<string, string>} */
export const WORDS = {
  queued: "Waiting for its turn",
  answering: "Answering",
  waiting: "Waiting for you",
  done: "Finished",
  stopped: "Stopped",
  failed: "Failed",
}

/** @param {string} state */
export function tellState(state) {
  const words = WORDS[state] ?? ""
  if (byId("status").textContent !== words) byId("status").textContent = words
}

/** @param {string} text */
export function tell(text) {
  if (!text.trim()) return
  const line = document.createElement("p")
  line.textContent = text.trim()
  byId("announcer").append(line)
  setTimeout(() => line.remove(), KEPT)
}
