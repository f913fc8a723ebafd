// Files that are dragged onto the page or pasted: for the card that asks for one, else for the next message.
import { attach } from "./attachments.js"
import { fileCard, give } from "./files.js"
import { byId } from "./page.js"
import { toast } from "./toast.js"

const shade = byId("dropping")
/** @type {Element | null} */
let over = null

/** Take files from everywhere. */
export function startDrag() {
  for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, (event) => show(/** @type {DragEvent} */ (event)))
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && hide())
  document.addEventListener("drop", onDrop)
  document.addEventListener("paste", onPaste)
  byId("attach").addEventListener("click", () => byId("files").click())
  byId("files").addEventListener("change", (/** @type {Event} */ { target }) => {
    const input = /** @type {HTMLInputElement} */ (target)
    attach([...(input.files ?? [])])
    input.value = "" // the same file may be chosen again
    byId("message").focus()
  })
}

/** @param {DataTransfer | null} transfer */
const hasFiles = (transfer) => transfer?.types.includes("Files") ?? false

/** @param {DragEvent} event */
function show(event) {
  if (!hasFiles(event.dataTransfer)) return
  event.preventDefault()
  const area = fileCard(event.target, true)?.querySelector("[data-drop]") ?? null
  if (area !== over) over?.classList.remove("over")
  over = area
  over?.classList.add("over")
  shade.hidden = over !== null
}

function hide() {
  over?.classList.remove("over")
  over = null
  shade.hidden = true
}

/** @param {DragEvent} event */
function onDrop(event) {
  hide()
  if (!hasFiles(event.dataTransfer)) return
  event.preventDefault() // or the browser would leave the page and show the file
  receive(event.target, filesIn(event.dataTransfer), true)
}

/**
 * The files that came, without folders, which cannot be read as one.
 * @param {DataTransfer | null} transfer
 */
function filesIn(transfer) {
  const items = [...(transfer?.items ?? [])].filter(({ kind }) => kind === "file")
  const files = items.filter((item) => !item.webkitGetAsEntry()?.isDirectory).map((item) => item.getAsFile())
  if (files.length < items.length) toast("A folder cannot be attached. Choose the files in it.")
  return files.filter((file) => file !== null)
}

/** @param {ClipboardEvent} event */
function onPaste(event) {
  const files = [...(event.clipboardData?.files ?? [])]
  // Cells of a sheet come as text and as a picture of them: who copied them means the text.
  if (!files.length || event.clipboardData?.types.includes("text/plain")) return
  event.preventDefault()
  receive(event.target, files, byId("message").value !== "")
}

/**
 * @param {EventTarget | null} target
 * @param {File[]} files
 * @param {boolean} onlyAround whether a card gets them only when they came down on it
 */
function receive(target, files, onlyAround) {
  const card = fileCard(target, onlyAround)
  if (card && files[0]) void give(card, files[0])
  else attach(files)
}
