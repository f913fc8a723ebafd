// Whether the gateway can be reached, as far as anybody here noticed; the banner that says so; when to try again.
import { byId } from "./page.js"

/** @type {Set<() => void>} */
const waiting = new Set()
let failures = 0

/** Something was answered. */
export function reached() {
  failures = 0
  show()
}

/** Nothing was answered. */
export function missed() {
  failures += 1
  show()
}

function show() {
  const banner = byId("offline")
  const isOut = !navigator.onLine
  const text = isOut
    ? "You are offline. What you write is kept, and sent when you are back."
    : "The server cannot be reached. Trying again…"
  banner.hidden = !isOut && failures < 2
  if (!banner.hidden) banner.querySelector("span").textContent = text
}

/**
 * Wait before another attempt: longer each time, never quite as long as others, not at all when the network is back.
 * @param {number} attempt from 1
 * @param {number} [least] seconds that the server asked for
 */
export function pause(attempt, least = 0) {
  const longest = Math.min(20_000, 300 * 2 ** attempt)
  const time = Math.max(least * 1000, longest * (0.5 + Math.random() / 2))
  return new Promise((resolve) => {
    const go = () => {
      clearTimeout(timer)
      waiting.delete(go)
      resolve(undefined)
    }
    const timer = setTimeout(go, time)
    waiting.add(go)
  })
}

const wake = () => {
  for (const go of [...waiting]) go()
}

/**
 * Call `take` whenever the page is seen again, or the network is back.
 * @param {() => void} take
 */
export function onReturn(take) {
  addEventListener("online", take)
  addEventListener("pageshow", (event) => event.persisted && take())
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && take())
}

addEventListener("offline", show)
addEventListener("online", () => {
  failures = 0
  show()
})
onReturn(wake)
show()
