// The list of conversations by date: those of today, of yesterday, and so on, where whoever reads it is.
const MONTH = new Intl.DateTimeFormat("en", { month: "long" })
const MONTH_AND_YEAR = new Intl.DateTimeFormat("en", { month: "long", year: "numeric" })

/**
 * The day that began `days` ago.
 * @param {number} days
 */
function dayBefore(days) {
  const now = new Date()
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() - days)
}

/** What changes when the headings are another day's. */
export const today = () => dayBefore(0).getTime()

/**
 * @param {HTMLElement} row
 * @returns {string} the heading below which it belongs
 */
function headingOf({ dataset }) {
  if ("pinned" in dataset) return "Pinned"
  const began = new Date(Number(dataset.began) * 1000)
  if (began >= dayBefore(0)) return "Today"
  if (began >= dayBefore(1)) return "Yesterday"
  if (began >= dayBefore(7)) return "Previous 7 days"
  if (began >= dayBefore(30)) return "Previous 30 days"
  return (began.getFullYear() === dayBefore(0).getFullYear() ? MONTH : MONTH_AND_YEAR).format(began)
}

/**
 * Add rows to the end of a list, each below the heading of its time.
 * @param {HTMLElement} list
 * @param {HTMLElement[]} rows in their order
 */
export function addRows(list, rows) {
  for (const row of rows) {
    const heading = headingOf(row)
    const last = /** @type {HTMLElement | null} */ (list.lastElementChild)
    const group = last?.querySelector("h2")?.textContent === heading ? last : newGroup(list, heading)
    group.querySelector("ul")?.append(row)
  }
}

/**
 * @param {HTMLElement} list
 * @param {string} heading
 */
function newGroup(list, heading) {
  const [group, title, rows] = ["section", "h2", "ul"].map((name) => document.createElement(name))
  title.textContent = heading
  title.id = `group-${list.childElementCount}`
  rows.setAttribute("aria-labelledby", title.id)
  group.append(title, rows)
  list.append(group)
  return group
}
