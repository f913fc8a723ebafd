// What this browser keeps of an app and a user. One that keeps nothing still works, until the page is left.
import { page } from "./page.js"

const prefix = `capsule:${page.app}:${page.user}:`
/** @type {Map<string, string>} */
const memory = new Map()

/**
 * @param {string} name
 * @returns {any} what `keep` was given, or null
 */
export function kept(name) {
  try {
    return JSON.parse(localStorage.getItem(prefix + name) ?? memory.get(name) ?? "null")
  } catch {
    return JSON.parse(memory.get(name) ?? "null")
  }
}

/**
 * @param {string} name
 * @param {unknown} value null removes it
 */
export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(prefix + name)
    else localStorage.setItem(prefix + name, JSON.stringify(value))
    memory.delete(name)
  } catch {
    memory.set(name, JSON.stringify(value)) // full, or not allowed
  }
}

/**
 * The names that begin with `start`.
 * @param {string} start
 * @returns {string[]}
 */
export function names(start) {
  try {
    const all = Object.keys(localStorage).filter((key) => key.startsWith(prefix + start))
    return [...new Set([...all.map((key) => key.slice(prefix.length)), ...inMemory(start)])]
  } catch {
    return inMemory(start)
  }
}

/** @param {string} start */
const inMemory = (start) => [...memory.keys()].filter((name) => name.startsWith(start))

/**
 * Who signed in goes on with what they had begun as a visitor.
 * @param {string} start
 */
export function inherit(start) {
  if (page.user === "visitor") return
  const old = `capsule:${page.app}:visitor:`
  try {
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(old + start)) continue
      localStorage.setItem(prefix + key.slice(old.length), localStorage.getItem(key) ?? "null")
      localStorage.removeItem(key)
    }
  } catch {
    // nothing was kept
  }
}
