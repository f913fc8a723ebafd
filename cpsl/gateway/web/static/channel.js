// The tabs of one browser tell each other what happened.
import { page } from "./page.js"

const name = `capsule:${page.app}`
const channel = "BroadcastChannel" in window ? new BroadcastChannel(name) : null

/**
 * @param {{kind: string, [key: string]: unknown}} message
 */
export function post(message) {
  channel?.postMessage({ ...message, user: page.user })
}

/**
 * Call `take` for each message of this kind from another tab of the same user.
 * @param {string} kind
 * @param {(message: any) => void} take
 */
export function on(kind, take) {
  channel?.addEventListener("message", ({ data }) => {
    if (data?.kind === kind && (data.user === undefined || data.user === page.user)) take(data)
  })
}
