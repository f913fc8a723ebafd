// The last page of a window in which something was connected: tell the conversation, and go away.
const { app } = document.body.dataset

if (app && "BroadcastChannel" in window) {
  const channel = new BroadcastChannel(`capsule:${app}`)
  channel.postMessage({ kind: "connected" })
  channel.close()
}
// Works for a window that a script opened; another one stays, and its text says that it can be closed.
window.close()
