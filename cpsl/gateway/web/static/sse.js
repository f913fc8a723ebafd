// Server-Sent Events over fetch: unlike EventSource it sees the heartbeats, and so notices a connection that hangs.
import { Problem } from "./http.js"

const STALL = 35_000 // milliseconds: two heartbeats were missed

/**
 * Read a stream until it ends. Throws Problem; AbortError when `signal` says so.
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {(event: {id: string, type: string, data: any}) => void} take
 */
export async function readEvents(path, signal, take) {
  const control = new AbortController()
  const stop = () => control.abort()
  signal.addEventListener("abort", stop)
  let timer = setTimeout(stop, STALL)
  try {
    const response = await fetch(path, { headers: { Accept: "text/event-stream" }, signal: control.signal })
    if (!response.ok || !response.body) throw new Problem(response.status)
    const lines = new Lines(take)
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(timer)
      timer = setTimeout(stop, STALL)
      lines.add(value)
    }
  } catch (error) {
    if (error instanceof Problem || signal.aborted) throw error
    throw new Problem(0)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener("abort", stop)
  }
}

class Lines {
  /** @param {(event: {id: string, type: string, data: any}) => void} take */
  constructor(take) {
    this.take = take
    this.rest = ""
    this.event = { id: "", type: "message", data: "" }
  }

  /** @param {string} text */
  add(text) {
    const lines = (this.rest + text).split("\n")
    this.rest = lines.pop() ?? ""
    for (const line of lines) this.line(line.replace(/\r$/, ""))
  }

  /** @param {string} line */
  line(line) {
    if (line === "") return this.dispatch()
    const colon = line.indexOf(":")
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (name === "id") this.event.id = value
    else if (name === "event") this.event.type = value
    else if (name === "data") this.event.data += this.event.data ? `\n${value}` : value
  }

  dispatch() {
    const { id, type, data } = this.event
    this.event = { id: "", type: "message", data: "" }
    if (data) this.take({ id, type, data: JSON.parse(data) })
  }
}
