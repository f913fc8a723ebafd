// Messages that the server has not confirmed yet. Each is kept under its own name, so that tabs do not overwrite each
// other's, and goes out with its own id: sent twice, it arrives once.
import { keep, kept, names } from "./storage.js"

/**
 * @typedef {object} Entry
 * @property {string} id what makes it one message, however often it is sent
 * @property {number} at when it was written
 * @property {string} text
 * @property {{id: string, name: string}[]} files that were uploaded before
 * @property {string} session the conversation, "" for a new one
 * @property {string} thread which new conversation: it has no id before its first message is there
 */

/** An id that nobody else has, also where the page is not served by https. */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(16).padStart(2, "0")).join("")
}

/** @param {Entry} entry */
export const put = (entry) => keep(`outbox:${entry.id}`, entry)

/** @param {string} id */
export const drop = (id) => keep(`outbox:${id}`, null)

/** @returns {Entry[]} the oldest first */
export function entries() {
  const all = names("outbox:").map((name) => /** @type {Entry | null} */ (kept(name)))
  return all.filter((entry) => entry !== null).sort((one, other) => one.at - other.at)
}

/**
 * The new conversation of a thread has an id now.
 * @param {string} thread
 * @param {string} session
 */
export function settle(thread, session) {
  for (const entry of entries()) {
    if (!entry.session && entry.thread === thread) put({ ...entry, session })
  }
}
