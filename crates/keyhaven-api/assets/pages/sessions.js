/**
 * Where the account is signed in.
 *
 * @module pages/sessions
 */

import { keyhaven, report, run, state, succeed, tell } from "../context.js";
import { fill, known, time } from "../i18n.js";
import { ask, button, byId, card, describeUserAgent, device, el, facts, icon } from "../ui.js";

/** The list's card, still empty. */
export function sessionsCard() {
  return card(
    "sessions",
    "sessions.title",
    {},
    el("ul", { id: "session-list", class: "rows", "aria-labelledby": "sessions-title" }),
    el(
      "p",
      { class: "card-foot" },
      button({ id: "revoke-others", t: "sessions.end_others", kind: "secondary", on: endOthers, hidden: true }),
      button({ id: "revoke-all", t: "sessions.end_all", kind: "secondary danger-text", on: endAll }),
    ),
  );
}

/** The card of this session. */
export function sessionCard() {
  return card("session", "session.title", {}, el("div", { id: "session-facts" }));
}

/** Says what is known of this session. */
export function drawSession(session) {
  const methods = session.amr.map((method) => {
    const key = `method.${method}`;
    return known(key) ? el("li", { t: key }) : el("li", {}, method);
  });
  byId("session-facts")?.replaceChildren(
    facts([
      ["session.since", time(session.authTime)],
      ["session.until", time(session.expiresAt)],
      ["session.assurance", el("span", { t: `aal.${Math.min(Math.max(session.aal, 1), 3)}` })],
      ["session.proved_by", el("ul", { class: "inline-list" }, ...methods)],
    ]),
  );
}

/** Reads the list and draws it, this page's session first. */
export async function loadSessions() {
  try {
    const sessions = await keyhaven.sessions();
    const list = byId("session-list");
    if (!list) return; // signed out meanwhile
    list.replaceChildren(...sessions.sort((a, b) => Number(b.current) - Number(a.current)).map(row));
    byId("revoke-others").hidden = sessions.every(({ current }) => current);
  } catch (error) {
    report(error);
  }
}

function row(session) {
  const name = describeUserAgent(session.userAgent);
  const mobile = /iPhone|iPad|Android/.test(session.userAgent ?? "");
  return el(
    "li",
    { class: "row", data: { testid: "session", sessionId: session.id } },
    el("span", { class: "row-icon" }, icon(mobile ? "device" : "computer")),
    el(
      "div",
      { class: "row-body" },
      el(
        "h3",
        {},
        device(session.userAgent, { data: { testid: "session-name" } }),
        session.current && " ",
        session.current && el("span", { class: "badge", data: { kind: "synced", testid: "session-current" }, t: "sessions.this_one" }),
      ),
      el(
        "p",
        { class: "row-meta" },
        session.ip
          ? el("span", { data: { testid: "session-ip" } }, session.ip)
          : el("span", { data: { testid: "session-ip" }, t: "sessions.no_address" }),
        el("span", { t: ["sessions.since", { when: time(session.createdAt) }] }),
        el("span", { t: ["sessions.seen", { when: time(session.lastSeenAt) }] }),
      ),
    ),
    el(
      "div",
      { class: "row-actions" },
      !session.current &&
        el("button", {
          type: "button",
          class: "button quiet danger-text",
          data: { testid: "revoke-session" },
          t: "action.sign_out",
          label: ["sessions.end_label", { name }],
          on: { click: ({ currentTarget }) => end(currentTarget, session, name) },
        }),
    ),
  );
}

function end(element, { id }, name) {
  return run(element, null, async () => {
    await keyhaven.revokeSession(id);
    await loadSessions();
    byId("sessions-title")?.focus();
    succeed("session_revoked", { name });
  });
}

function endOthers(element) {
  return run(element, null, async () => {
    await keyhaven.revokeOtherSessions();
    await loadSessions();
    byId("sessions-title")?.focus();
    succeed("sessions_revoked");
  });
}

async function endAll(element) {
  const question = { name: "all", title: "sessions.all_title", text: "sessions.all_text", confirm: "sessions.all_confirm", danger: true };
  if (!(await ask(question))) return;
  run(element, null, async () => {
    await keyhaven.revokeAllSessions();
    tell("signed-out", "signed_out_everywhere");
  });
}

/** What the heading above it all says. */
export function greet() {
  const { user } = state.current;
  fill(byId("greeting"), "greeting", { name: el("span", { id: "greeting-name" }, user.displayName || user.username) });
}
