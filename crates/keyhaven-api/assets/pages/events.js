/**
 * What happened to the account of late.
 *
 * @module pages/events
 */

import { keyhaven, report, run } from "../context.js";
import { known, time } from "../i18n.js";
import { button, byId, card, device, el } from "../ui.js";

/** Shown at first; more by the button. */
const FEW = 5;

/** What was read and is not shown yet, and where the list goes on. */
let rest = { events: [], next: undefined };

/** The card, still empty. */
export function eventsCard() {
  return card(
    "events",
    "events.title",
    {},
    el("p", { class: "card-text", t: "events.text" }),
    el("ul", { id: "event-list", class: "rows slim", "aria-labelledby": "events-title" }),
    el("p", { class: "card-foot" }, button({ id: "more-events", t: "events.more", kind: "secondary", on: more, hidden: true })),
  );
}

/** Reads the newest and draws a few of them. */
export async function loadEvents() {
  try {
    rest = await keyhaven.accountEvents();
    byId("event-list")?.replaceChildren();
    show(FEW);
  } catch (error) {
    report(error);
  }
}

/** Moves so many from what was read to what is seen. */
function show(count) {
  const list = byId("event-list");
  if (!list) return; // signed out meanwhile
  const shown = rest.events.slice(0, count);
  rest = { ...rest, events: rest.events.slice(count) };
  list.append(...shown.map(row));
  byId("more-events").hidden = rest.events.length === 0 && rest.next === undefined;
}

function more(element) {
  return run(element, null, async () => {
    if (rest.events.length === 0) rest = await keyhaven.accountEvents({ after: rest.next });
    show(50);
  });
}

/** One event: what, when, where. Also those of the audit log. */
export function eventText({ action, outcome }) {
  const key = `event.${action.replaceAll(".", "_")}`;
  const what = known(key) ? el("span", { t: key }) : el("span", {}, action);
  return [what, outcome === "refused" && el("span", { class: "badge", data: { kind: "suspended" }, t: "events.refused" })];
}

function row(event) {
  const { at, ip, userAgent } = event;
  return el(
    "li",
    { class: "row", data: { testid: "event", action: event.action } },
    el(
      "div",
      { class: "row-body" },
      el("p", { class: "row-title" }, ...eventText(event)),
      el("p", { class: "row-meta" }, time(at), ip && el("span", {}, ip), userAgent && device(userAgent)),
    ),
  );
}
