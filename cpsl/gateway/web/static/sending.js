// Sends what is in the outbox, one after another, until the server has it all.
import { on, post } from "./channel.js"
import { follow } from "./follow.js"
import { call, Problem } from "./http.js"
import { missed, onReturn, pause, reached } from "./network.js"
import { drop, entries, newId, put, settle } from "./outbox.js"
import { openSession, page, signInUrl } from "./page.js"
import { inherit } from "./storage.js"
import { toast } from "./toast.js"
import { notePending, removePending, showPending, showSent } from "./turns.js"

/** @typedef {import("./outbox.js").Entry} Entry */

let thread = newId()
let isSending = false
/** @type {(sent: {session_id: string, title: string}, isNew: boolean) => void} */
let onSent = () => {}
/** @type {(text: string) => void} */
let giveBack = () => {}

/**
 * @param {{sent: typeof onSent, refused: typeof giveBack}} hooks what the page does when a message has arrived, and
 *   with the text of one that was refused
 */
export function startSending({ sent, refused }) {
  onSent = sent
  giveBack = refused
  inherit("outbox:")
  showWaiting()
  void sendAll()
}

/** Show what waits in the open conversation, as after a reload. */
export function showWaiting() {
  const ours = entries().filter(isHere)
  const oldest = entries().find((entry) => !entry.session)
  if (!openSession() && !ours.length && oldest) thread = oldest.thread
  for (const entry of entries().filter(isHere)) showPending(entry)
}

/** @param {Entry} entry */
const isHere = (entry) => (entry.session ? entry.session === openSession() : !openSession() && entry.thread === thread)

/** The page begins another new conversation. */
export function startThread() {
  thread = newId()
}

/**
 * Send a message to the open conversation, now or when that is possible.
 * @param {string} text
 * @param {{id: string, name: string}[]} files
 */
export function send(text, files) {
  const entry = { id: newId(), at: Date.now(), text, files, session: openSession(), thread }
  put(entry)
  showPending(entry)
  void sendAll()
}

async function sendAll() {
  if (isSending) return
  isSending = true
  for (let attempt = 1; entries().length; ) {
    const [entry] = entries()
    const problem = await alone(entry)
    if (!problem) attempt = 1
    else if (problem.passes) await later(entry, problem, attempt++)
    else refuse(entry, problem)
  }
  isSending = false
}

/**
 * Send an entry while no other tab does. Where tabs cannot agree, its id sees to it that it arrives once.
 * @param {Entry} entry
 * @returns {Promise<Problem | null>}
 */
async function alone(entry) {
  if (!navigator.locks) return sendOne(entry)
  return navigator.locks.request(`capsule:${page.app}:${entry.id}`, () => sendOne(entry))
}

/** @param {Entry} entry */
async function sendOne(entry) {
  const fresh = entries().find(({ id }) => id === entry.id)
  if (!fresh) return null // another tab was faster
  const json = { text: fresh.text, session_id: fresh.session || null, attachments: fresh.files.map(({ id }) => id) }
  try {
    const sent = await call("POST", `${page.base}/messages`, { json, headers: { "Idempotency-Key": fresh.id } })
    reached()
    drop(fresh.id)
    if (!fresh.session) settle(fresh.thread, sent.session_id)
    arrived(fresh, sent)
    post({ kind: "sent", entry: fresh, sent })
    return null
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
}

/**
 * @param {Entry} entry
 * @param {any} sent
 */
function arrived(entry, sent) {
  const isNew = isHere(entry) && !openSession()
  const isOpen = isNew || sent.session_id === openSession()
  if (isOpen) showSent(entry.id, sent)
  onSent(sent, isNew)
  if (isOpen) follow()
}

/**
 * @param {Entry} entry
 * @param {Problem} problem
 * @param {number} attempt
 */
async function later(entry, problem, attempt) {
  missed()
  notePending(entry.id, problem.status === 429 ? "Waiting: too many messages at once" : "Waiting for the network")
  await pause(attempt, problem.wait)
  notePending(entry.id, "")
}

/**
 * The server does not want it: say why, and give the text back.
 * @param {Entry} entry
 * @param {Problem} problem
 */
function refuse(entry, problem) {
  drop(entry.id)
  removePending(entry.id)
  if (isHere(entry)) giveBack(entry.text)
  const signIn = () => location.assign(signInUrl())
  const action = problem.status === 401 ? { action: "Sign in", act: signIn } : {}
  toast(`Not sent. ${problem.text}`, { seconds: 12, ...action })
}

on("sent", ({ entry, sent }) => arrived(entry, sent))
onReturn(() => void sendAll())
