/**
 * What happened, in words.
 *
 * @module pages/events
 */

import { known } from "../i18n.js";
import { el } from "../ui.js";

/** What an event says: in words where there are any, and whether it was refused. */
export function eventText({ action, outcome }) {
  const key = `event.${action.replaceAll(".", "_")}`;
  const what = known(key) ? el("span", { t: key }) : el("span", {}, action);
  return [what, outcome === "refused" && el("span", { class: "badge", data: { kind: "suspended" }, t: "events.refused" })];
}
