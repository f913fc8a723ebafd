// Follows the answer that is coming, through lost connections, until the server says that it is over.
import { tellState } from "./announce.js"
import { call, fetchPage, Problem } from "./http.js"
import { missed, onReturn, pause, reached } from "./network.js"
import { byId, openSession, page } from "./page.js"
import { readEvents } from "./sse.js"
import { isOver, merge, openTurn, putNews, putPart, setState } from "./turns.js"

const HIDDEN_FOR = 5000 // milliseconds: a page that was away for longer opens its stream anew

/** @type {{turn: HTMLElement, control: AbortController} | null} */
let current = null
let hiddenAt = 0

/** Follow the first turn that is not over, if any. One at a time: the others wait for it anyway. */
export function follow() {
  const turn = openTurn()
  byId("stop").hidden = !turn
  if (turn === current?.turn) return
  current?.control.abort()
  current = turn ? { turn, control: new AbortController() } : null
  if (current) void read(current.turn, current.control.signal)
}

/** Open the stream anew: the old connection may hang without saying so. */
function restart() {
  current?.control.abort()
  current = null
  follow()
}

/**
 * @param {HTMLElement} turn
 * @param {AbortSignal} signal
 */
async function read(turn, signal) {
  for (let attempt = 1; !signal.aborted && !isOver(turn); attempt += 1) {
    try {
      await readOnce(turn, signal, () => (attempt = 1))
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof Problem && !error.passes) return end(turn, error)
      if (!(error instanceof Problem)) console.error(error)
      missed()
    }
    if (!isOver(turn)) await pause(attempt)
  }
  if (!signal.aborted) follow()
}

/**
 * @param {HTMLElement} turn
 * @param {AbortSignal} signal
 * @param {() => void} progress
 */
function readOnce(turn, signal, progress) {
  const path = `${page.base}/turns/${turn.dataset.turn}/parts?after=${turn.dataset.after ?? 0}`
  return readEvents(path, signal, ({ id, type, data }) => {
    if (signal.aborted) return
    progress()
    reached()
    if (id) turn.dataset.after = id
    take(turn, type, data)
  })
}

/**
 * @param {HTMLElement} turn
 * @param {string} type
 * @param {any} data
 */
function take(turn, type, data) {
  if (type === "part") putPart(turn, data.id, data.html)
  else if (type === "news") putNews(turn, data)
  else if (type === "state") {
    const isNews = data.state !== "queued" || turn.dataset.state !== "queued" // it was told when it was sent
    setState(turn, data.state, data.message)
    if (isNews) tellState(data.state)
  }
}

/**
 * The server does not know this turn, or does not give it to us: there is nothing more to come.
 * @param {HTMLElement} turn
 * @param {Problem} problem
 */
function end(turn, problem) {
  setState(turn, "failed", problem.text)
  tellState("failed")
  follow()
}

/** Ask the server to end the answer that is coming. It works from any tab, and says so in the stream. */
export async function stop() {
  const turn = openTurn()
  if (!turn) return
  try {
    await call("POST", `/api/v1/turns/${turn.dataset.turn}/cancel`)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    missed()
  }
  restart()
}

/** Fetch what other browsers said meanwhile in this conversation. */
export async function refresh() {
  const session = openSession()
  if (!session) return
  try {
    const fresh = await fetchPage(session)
    if (fresh && session === openSession()) merge(fresh)
    reached()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
  }
  follow()
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") hiddenAt = Date.now()
})
onReturn(() => {
  if (navigator.onLine && hiddenAt && Date.now() - hiddenAt < HIDDEN_FOR) return
  restart()
  void refresh()
})
