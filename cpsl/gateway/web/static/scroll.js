// The conversation follows what comes in, but only while its end is on the screen.
import { byId } from "./page.js"

const NEAR = 64 // pixels
const scroller = byId("scroller")
const jump = byId("jump")
let follows = true
let lastTop = 0

const isAtEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR

/** Show the end, and stay there. */
export function toEnd() {
  follows = true
  scroller.scrollTop = byId("turns").childElementCount ? scroller.scrollHeight : 0
  lastTop = scroller.scrollTop
  jump.hidden = true
}

/** Stay where it is now, whatever grows. */
export function stay() {
  follows = false
}

scroller.addEventListener("scroll", () => {
  // The end moves away by itself while text comes: only who scrolls up wants to stay.
  if (isAtEnd()) follows = true
  else if (scroller.scrollTop < lastTop) follows = false
  lastTop = scroller.scrollTop
  jump.hidden = follows
}, { passive: true })

jump.addEventListener("click", () => {
  toEnd()
  byId("message").focus()
})

const grown = () => {
  if (follows) toEnd()
  else jump.hidden = isAtEnd()
}
const watcher = new ResizeObserver(grown)
watcher.observe(byId("turns"))
watcher.observe(scroller)
