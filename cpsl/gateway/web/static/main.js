// The chat page: every part of it begins here.
import { startCards } from "./cards.js"
import { focusComposer, giveBack, startComposer } from "./composer.js"
import { startDeletions } from "./deletions.js"
import { startDrag } from "./drag.js"
import { startDrawer } from "./drawer.js"
import { follow, stop } from "./follow.js"
import { byId } from "./page.js"
import { startRetries } from "./retry.js"
import { startRows } from "./rows.js"
import { toEnd } from "./scroll.js"
import { startSending } from "./sending.js"
import { arrived, load, startSessions } from "./sessions.js"
import { enhanceAll } from "./turns.js"

enhanceAll()
toEnd()
startCards()
startRetries()
startDrag()
startDrawer()
startSessions()
startRows()
startDeletions(() => void load())
startComposer()
startSending({ sent: arrived, refused: giveBack })
follow()
focusComposer()

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && !byId("stop").hidden) void stop()
})
