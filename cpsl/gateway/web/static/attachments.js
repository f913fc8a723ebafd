// Files that go with the next message: they are uploaded while one writes.
import { Problem } from "./http.js"
import { api, byId, copyOf, page, sizeText } from "./page.js"
import { tell } from "./announce.js"
import { unfit, upload } from "./upload.js"

const MOST = 20
const chips = byId("chips")

/** @typedef {{id: string, name: string, chip: HTMLElement, control: AbortController, done: Promise<boolean>}} Upload */
/** @type {Upload[]} */
let uploads = []
let changed = () => {}

/** @param {() => void} take called whenever a file came or went */
export function onAttached(take) {
  changed = take
}

/** @returns {{id: string, name: string}[]} those that are there */
export const attached = () => uploads.filter(({ id }) => id).map(({ id, name }) => ({ id, name }))

/** Wait for all files. @returns {Promise<boolean>} whether all are there */
export async function whenUploaded() {
  const all = await Promise.all(uploads.map(({ done }) => done))
  return all.every(Boolean) && !chips.querySelector("[data-failed]")
}

/** The files went with a message. */
export function clearAttached() {
  uploads = []
  chips.replaceChildren()
  chips.hidden = true
}

/** @param {Iterable<File>} files */
export function attach(files) {
  for (const file of files) attachOne(file)
  changed()
}

/** @param {File} file */
function attachOne(file) {
  const chip = copyOf("t-chip")
  const [name, note, remove] = [chip.querySelector("span"), chip.querySelector("small"), chip.querySelector("button")]
  name.textContent = file.name
  name.title = file.name
  note.textContent = sizeText(file.size)
  remove.setAttribute("aria-label", `Remove ${file.name}`)
  chips.append(chip)
  chips.hidden = false
  const control = new AbortController()
  const entry = { id: "", name: file.name, chip, control, done: Promise.resolve(false) }
  remove.addEventListener("click", () => take(entry))
  const problem = uploads.length >= MOST ? `${MOST} files are the most.` : unfit(file, page.maxFile, sizeText)
  if (problem) return fail(chip, problem)
  uploads.push(entry)
  entry.done = transfer(entry, file)
}

/**
 * @param {Upload} entry
 * @param {File} file
 */
async function transfer(entry, file) {
  const bar = document.createElement("progress")
  bar.max = 100
  bar.setAttribute("aria-label", `Uploading ${file.name}`)
  const note = entry.chip.querySelector("small")
  note?.replaceChildren(bar)
  try {
    const path = `${api}/files?name=${encodeURIComponent(file.name)}`
    const kept = await upload(path, file, { signal: entry.control.signal, progress: (percent) => (bar.value = percent) })
    entry.id = kept.id
    note?.replaceChildren(sizeText(file.size))
    return true
  } catch (error) {
    if (error instanceof Problem) fail(entry.chip, error.text)
    return false
  } finally {
    changed()
  }
}

/**
 * @param {HTMLElement} chip
 * @param {string} problem
 */
function fail(chip, problem) {
  chip.dataset.failed = "yes"
  chip.querySelector("small")?.replaceChildren(problem)
  tell(problem)
}

/** @param {Upload} entry */
function take(entry) {
  entry.control.abort()
  entry.chip.remove()
  uploads = uploads.filter((each) => each !== entry)
  chips.hidden = !chips.childElementCount
  changed()
  byId("message").focus()
}
