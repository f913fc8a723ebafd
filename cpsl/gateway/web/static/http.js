// Calls of the gateway. What goes wrong is a `Problem`: an answer (RFC 9457), or none at all (`status` 0).
import { addressOf, openSession } from "./page.js"

export class Problem extends Error {
  /**
   * @param {number} status
   * @param {{title?: string, detail?: string, code?: string, hint?: string, request_id?: string}} [said]
   * @param {number} [wait] seconds
   */
  constructor(status, said = {}, wait = 0) {
    super(said.detail || said.title || (status ? `The server answered ${status}.` : "The server cannot be reached."))
    this.status = status
    this.code = said.code ?? ""
    this.hint = said.hint ?? ""
    this.requestId = said.request_id ?? ""
    this.wait = wait
  }

  /** Whether the same may go well later. */
  get passes() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500
  }

  /** For people. */
  get text() {
    return this.hint ? `${sentence(this.message)} ${sentence(this.hint)}` : sentence(this.message)
  }
}

/** @param {string} text */
const sentence = (text) => {
  const capital = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`
}

export const csrf = () => document.body.dataset.csrf ?? ""

/**
 * @param {string} method
 * @param {string} path
 * @param {{json?: unknown, headers?: Record<string, string>, keepalive?: boolean, signal?: AbortSignal}} [more]
 * @returns {Promise<any>} the JSON of the answer, null for an empty one
 */
export async function call(method, path, more = {}) {
  try {
    return await once(method, path, more)
  } catch (error) {
    // Somebody signed in or out in another tab: the page's token is of yesterday.
    if (!(error instanceof Problem) || error.code !== "csrf_failed" || !(await renewed())) throw error
    return once(method, path, more)
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{json?: unknown, headers?: Record<string, string>, keepalive?: boolean, signal?: AbortSignal}} more
 */
async function once(method, path, { json, headers = {}, keepalive = false, signal }) {
  const all = { Accept: "application/json", ...headers }
  if (method !== "GET") Object.assign(all, { "X-CSRF-Token": csrf(), "Content-Type": "application/json" })
  const body = json === undefined ? undefined : JSON.stringify(json)
  const response = await answered(fetch(path, { method, headers: all, body, keepalive, signal }))
  const text = await answered(response.text())
  if (!response.ok) throw new Problem(response.status, parsed(text), Number(response.headers.get("Retry-After")) || 0)
  return text ? parsed(text) : null
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
async function answered(promise) {
  try {
    return await promise
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error
    throw new Problem(0)
  }
}

/** @param {string} text */
export function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return {} // a proxy's page
  }
}

/** Take the token of a fresh page, if it is still about the same user. */
async function renewed() {
  const fresh = await fetchPage(openSession())
  const { user, csrf: token } = fresh?.body.dataset ?? {}
  if (!token || user !== document.body.dataset.user) return false
  document.body.dataset.csrf = token
  return true
}

/**
 * The page of a conversation, "" for a new one; null when there is none.
 * @param {string} session
 * @returns {Promise<Document | null>}
 */
export async function fetchPage(session) {
  const response = await answered(fetch(addressOf(session), { headers: { Accept: "text/html" } }))
  if (response.status === 404) return null
  if (!response.ok) throw new Problem(response.status)
  return new DOMParser().parseFromString(await answered(response.text()), "text/html")
}
