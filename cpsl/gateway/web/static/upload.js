// One file on its way up. XMLHttpRequest, as fetch does not say how far it is.
import { csrf, parsed, Problem } from "./http.js"

/**
 * @param {string} path
 * @param {File} file
 * @param {{progress: (percent: number) => void, signal: AbortSignal}} how
 * @returns {Promise<any>} the JSON of the answer; throws Problem, and AbortError when `signal` says so
 */
export function upload(path, file, { progress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open("POST", path)
    request.setRequestHeader("Accept", "application/json")
    request.setRequestHeader("X-CSRF-Token", csrf())
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream")
    request.upload.onprogress = ({ loaded, total }) => progress(total ? (100 * loaded) / total : 0)
    request.onload = () => {
      const said = parsed(request.responseText)
      if (request.status < 300) resolve(said)
      else reject(new Problem(request.status, said))
    }
    request.onerror = () => reject(new Problem(0, { detail: "The connection was lost." }))
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"))
    signal.addEventListener("abort", () => request.abort())
    const lost = () => request.abort()
    request.send(file)
    watchNetwork(request, reject, lost)
  })
}

/**
 * Some browsers let an upload hang when the network goes.
 * @param {XMLHttpRequest} request
 * @param {(problem: Problem) => void} reject
 * @param {() => void} lost
 */
function watchNetwork(request, reject, lost) {
  const gone = () => {
    reject(new Problem(0, { detail: "The connection was lost." }))
    lost()
  }
  addEventListener("offline", gone)
  request.onloadend = () => removeEventListener("offline", gone)
}

/**
 * Why a file need not be sent at all, "" if it may.
 * @param {File} file
 * @param {number} most bytes, 0 for any
 * @param {(bytes: number) => string} sizeText
 */
export function unfit(file, most, sizeText) {
  if (file.size === 0) return `${file.name} is empty.`
  if (most && file.size > most) return `${file.name} is too large: ${sizeText(file.size)}, and ${sizeText(most)} are the most.`
  return ""
}
