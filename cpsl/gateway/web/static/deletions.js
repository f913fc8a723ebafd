// Conversations that were deleted a moment ago: gone from the list, and really deleted when nobody takes it back.
import { on, post } from "./channel.js"
import { call, Problem } from "./http.js"
import { api } from "./page.js"
import { keep, kept, names } from "./storage.js"
import { toast } from "./toast.js"

const SECONDS = 8
/** @type {Map<string, () => void>} */
const ours = new Map()
let changed = () => {}

/** @param {string} id */
export const isDeleted = (id) => kept(`deleted:${id}`) !== null

/** @param {() => void} take called when the list is another one */
export function startDeletions(take) {
  changed = take
  on("deleted", () => changed())
  addEventListener("pagehide", finishAll)
  const begun = names("deleted:")
  if (begun.length) changed()
  // What a page that was closed could not see to its end.
  for (const name of begun) {
    if (kept(name) < Date.now()) void finish(name.slice("deleted:".length))
  }
}

/**
 * Delete a conversation in eight seconds, unless somebody takes it back.
 * @param {string} id
 * @param {string} title
 */
export function deleteSoon(id, title) {
  keep(`deleted:${id}`, Date.now() + (SECONDS + 2) * 1000)
  const timer = setTimeout(() => void finish(id), SECONDS * 1000)
  const undo = () => {
    clearTimeout(timer)
    forget(id)
  }
  const short = title.length > 40 ? `${title.slice(0, 40)}…` : title
  ours.set(id, toast(`Deleted “${short}”`, { action: "Undo", act: undo, seconds: SECONDS }))
  changed()
  post({ kind: "deleted" })
}

/** @param {string} id */
function forget(id) {
  keep(`deleted:${id}`, null)
  ours.delete(id)
  changed()
  post({ kind: "deleted" })
}

/** @param {string} id */
async function finish(id) {
  try {
    await call("DELETE", `${api}/sessions/${id}`, { keepalive: true })
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    if (error.passes) return // the next page tries again
  }
  forget(id)
}

/** The page goes: nobody can take anything back any more. */
function finishAll() {
  for (const id of ours.keys()) {
    keep(`deleted:${id}`, 1) // whoever comes next makes sure of it
    void finish(id)
  }
}
