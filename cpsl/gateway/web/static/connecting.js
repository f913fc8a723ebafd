// The window that a card opens to connect something: it goes on to the provider by itself, and closes when it is done.
const KEY = "capsule:connecting"

/** Whether a conversation of ours opened this window. Only then does it do anything by itself. */
function isOurs() {
  try {
    return window.name === "capsule-connect" && window.opener?.location.origin === location.origin
  } catch {
    return false // somebody else did
  }
}

if (isOurs()) sessionStorage.setItem(KEY, "yes") // the way over the provider may make it forget its opener

const done = /** @type {HTMLElement | null} */ (document.querySelector("[data-connected]"))
const leaves = /** @type {HTMLFormElement | null} */ (document.querySelector("form[data-leaves]"))

if (done) {
  const channel = new BroadcastChannel(`capsule:${done.dataset.connected}`)
  channel.postMessage({ kind: "connected" })
  channel.close()
}
if (sessionStorage.getItem(KEY)) {
  if (done) window.close()
  else if (leaves && isOurs()) leaves.submit()
}
