// Cards that ask for a file: given by button, by drag or by paste.
import { Problem } from "./http.js"
import { copyOf, page, sizeText } from "./page.js"
import { showProblem } from "./cards.js"
import { unfit, upload } from "./upload.js"

/** @type {WeakSet<Element>} */
const busy = new WeakSet()

/**
 * Let somebody choose a file for a card.
 * @param {HTMLElement} card
 */
export function choose(card) {
  const input = document.createElement("input")
  input.type = "file"
  input.accept = areaOf(card)?.dataset.accept ?? ""
  input.addEventListener("change", () => input.files?.[0] && void give(card, input.files[0]))
  input.click()
}

/** @param {HTMLElement} card */
const areaOf = (card) => /** @type {HTMLElement | null} */ (card.querySelector("[data-drop]"))

/**
 * The card that asks for a file and to which this belongs: the one around it, else the last that waits.
 * @param {EventTarget | null} target
 * @param {boolean} [onlyAround]
 * @returns {HTMLElement | null}
 */
export function fileCard(target, onlyAround = false) {
  const around = target instanceof Element ? target.closest(".card") : null
  if (around?.querySelector("[data-drop]")) return /** @type {HTMLElement} */ (around)
  if (onlyAround) return null
  const areas = document.querySelectorAll("#turns [data-drop]")
  return areas.length ? areas[areas.length - 1].closest(".card") : null
}

/**
 * Upload a file for a card. When it is there, the stream closes the card.
 * @param {HTMLElement} card
 * @param {File} file
 */
export async function give(card, file) {
  const area = areaOf(card)
  if (!area || busy.has(card)) return
  const problem = unfit(file, Number(area.dataset.max), sizeText)
  showProblem(card, problem)
  if (problem) return
  busy.add(card)
  const control = new AbortController()
  const line = progressOf(file, () => control.abort())
  area.hidden = true
  area.after(line)
  try {
    const signal = AbortSignal.any([control.signal, removed(card)])
    await upload(pathOf(card, file), file, { signal, progress: (percent) => setProgress(line, percent) })
  } catch (error) {
    if (error instanceof Problem && error.code !== "prompt_closed") showProblem(card, error.text)
    area.hidden = false
    line.remove()
    area.querySelector("button")?.focus()
  } finally {
    busy.delete(card)
  }
}

/**
 * @param {HTMLElement} card
 * @param {File} file
 */
function pathOf(card, file) {
  const { prompt } = card.dataset
  const turn = card.dataset.turn ?? card.closest("section")?.dataset.turn
  return `/api/v1/turns/${turn}/prompts/${prompt}/file?name=${encodeURIComponent(file.name)}`
}

/**
 * @param {File} file
 * @param {() => void} cancel
 */
function progressOf(file, cancel) {
  const line = copyOf("t-transfer")
  line.querySelector("span").textContent = `${file.name} (${sizeText(file.size)})`
  line.querySelector("progress").setAttribute("aria-label", `Uploading ${file.name}`)
  line.querySelector("progress").value = 0
  line.querySelector("button").addEventListener("click", cancel)
  return line
}

/**
 * @param {HTMLElement} line
 * @param {number} percent
 */
function setProgress(line, percent) {
  const bar = line.querySelector("progress")
  if (bar) bar.value = percent
}

/**
 * Aborts when the card is answered elsewhere, and so replaced.
 * @param {HTMLElement} card
 */
function removed(card) {
  const control = new AbortController()
  const watcher = new MutationObserver(() => {
    if (card.isConnected) return
    watcher.disconnect()
    control.abort()
  })
  watcher.observe(document.getElementById("turns") ?? document.body, { childList: true, subtree: true })
  return control.signal
}
