/**
 * For administrators: all accounts, and what happened to them. One account is in `admin-user.js`.
 *
 * Everything here asks for a passkey first, so nothing is asked for before the button is pressed.
 *
 * @module pages/admin
 */

import { keyhaven, report, run, state } from "../context.js";
import { fill, time } from "../i18n.js";
import { button, byId, card, clearStatus, device, el, field } from "../ui.js";
import { showUser } from "./admin-user.js";
import { eventText } from "./events.js";

/** Whether a passkey was asked for since the page was opened. */
let opened = false;

/** How the lists go on. Each list drawn anew has its own, by which an answer that comes too late is known. */
let users = anew();
let events = anew();

function anew(query = {}) {
  return { query, next: undefined };
}

/** Whether whoever is signed in administers. */
export function administers() {
  return state.current?.user.role === "admin";
}

/** Forgets that a passkey was asked for, and what was. */
export function closeAdmin() {
  opened = false;
  users = anew();
  events = anew();
}

/** Draws what the address names: `#admin`, `#admin/audit`, `#admin/users/ID`. */
export function drawAdmin() {
  if (!opened) return byId("section-admin").replaceChildren(gate());
  const [, place, id] = location.hash.slice(1).split("/");
  if (place === "users" && id) return showUser(byId("section-admin"), decodeURIComponent(id));
  byId("section-admin").replaceChildren(el("div", { class: "column-main" }, places(place), place === "audit" ? eventsCard() : usersCard()));
  return place === "audit" ? loadEvents() : loadUsers();
}

function gate() {
  const open = (element) =>
    run(element, "prompt.passkey", async () => {
      await keyhaven.adminUsers({ limit: 1 });
      opened = true;
      await drawAdmin();
      clearStatus();
      byId("section-admin").querySelector("h2")?.focus();
    });
  return el(
    "div",
    { class: "column-main" },
    card(
      "admin-gate",
      "admin.title",
      {},
      el("p", { class: "card-text", t: "admin.gate" }),
      el("p", { class: "card-foot" }, button({ id: "admin-open", t: "admin.open", kind: "primary", icon: "passkey", on: open })),
    ),
  );
}

function places(place) {
  const link = (to, text, here) => el("a", { href: to, t: text, "aria-current": here ? "page" : undefined });
  return el(
    "nav",
    { class: "places", label: "admin.title" },
    link("#admin", "admin.users", place !== "audit"),
    link("#admin/audit", "admin.audit", place === "audit"),
  );
}

// ── Accounts ────────────────────────────────────────────────────────────────────────────────────────────────────────

function usersCard() {
  users = anew();
  const search = (event) => {
    event.preventDefault();
    run(byId("users-find"), null, () => {
      users = anew(queryFor(byId("users-search").value.trim()));
      return loadUsers();
    });
  };
  return card(
    "users",
    "admin.users",
    {},
    el(
      "form",
      { class: "search", role: "search", novalidate: true, on: { submit: search } },
      field({ id: "users-search", t: "admin.search", hint: "admin.search_hint", type: "search", autocomplete: "off", autocapitalize: "none", spellcheck: "false" }),
      el("button", { type: "submit", id: "users-find", class: "button secondary", t: "admin.find" }),
    ),
    el("ul", { id: "user-list", class: "rows", "aria-labelledby": "users-title" }),
    el("p", { id: "user-none", class: "empty", t: "admin.nobody", hidden: true }),
    el("p", { class: "card-foot" }, button({ id: "more-users", t: "events.more", kind: "secondary", on: (element) => run(element, null, moreUsers), hidden: true })),
  );
}

/** An address, an id, or a name, whole: names and addresses are stored encrypted. */
function queryFor(text) {
  if (text.includes("@") && state.features.identifier !== "email") return { email: text };
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return { id: text };
  return text ? { username: text } : {};
}

async function loadUsers() {
  byId("user-list").replaceChildren();
  await attempt(() => moreUsers());
}

async function moreUsers() {
  const asked = users;
  const page = await keyhaven.adminUsers({ ...asked.query, cursor: asked.next });
  const list = byId("user-list");
  if (!list || users !== asked) return; // somewhere else, or another list, meanwhile
  users.next = page.next;
  list.append(...page.users.map(userRow));
  byId("more-users").hidden = page.next === undefined;
  byId("user-none").hidden = list.children.length > 0;
}

function userRow(user) {
  return el(
    "li",
    { class: "row", data: { testid: "user", userId: user.id } },
    el(
      "div",
      { class: "row-body" },
      el("h3", {}, el("a", { href: `#admin/users/${encodeURIComponent(user.id)}`, data: { testid: "user-name" } }, user.username)),
      el(
        "p",
        { class: "row-sub" },
        user.displayName !== user.username && el("span", {}, user.displayName),
        user.email && el("span", {}, user.email),
        user.role === "admin" && el("span", { class: "badge", data: { kind: "synced" }, t: "admin.role" }),
        user.state === "locked" && el("span", { class: "badge", data: { kind: "suspended" }, t: "admin.locked" }),
        !user.hasPasskey && el("span", { class: "badge", t: "admin.no_passkey" }),
      ),
      el(
        "p",
        { class: "row-meta" },
        el("span", { t: ["passkey.created", { when: time(user.createdAt) }] }),
        el("span", { t: ["admin.last_login", { when: time(user.lastLoginAt) }] }),
      ),
    ),
  );
}

// ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function eventsCard() {
  events = anew();
  const search = (event) => {
    event.preventDefault();
    const [account, action] = [byId("audit-account").value.trim(), byId("audit-action").value.trim()];
    run(byId("audit-find"), null, () => {
      events = anew({ account, action, outcome: byId("audit-outcome").value });
      return loadEvents();
    });
  };
  const outcome = (value, text) => el("option", { value, t: text });
  return card(
    "audit",
    "admin.audit",
    {},
    el(
      "form",
      { class: "search", novalidate: true, on: { submit: search } },
      field({ id: "audit-account", t: "account.id", autocomplete: "off", spellcheck: "false" }),
      field({ id: "audit-action", t: "admin.action", autocomplete: "off", autocapitalize: "none", spellcheck: "false", placeholder: "login.finish" }),
      el(
        "div",
        { class: "field" },
        el("label", { for: "audit-outcome", t: "admin.outcome" }),
        el("select", { id: "audit-outcome" }, outcome("", "admin.any"), outcome("success", "admin.success"), outcome("refused", "events.refused")),
      ),
      el("button", { type: "submit", id: "audit-find", class: "button secondary", t: "admin.find" }),
    ),
    el("ul", { id: "audit-list", class: "rows slim", "aria-labelledby": "audit-title" }),
    el("p", { class: "card-foot" }, button({ id: "more-audit", t: "events.more", kind: "secondary", on: (element) => run(element, null, moreEvents), hidden: true })),
  );
}

async function loadEvents() {
  byId("audit-list").replaceChildren();
  await attempt(() => moreEvents());
}

async function moreEvents() {
  const asked = events;
  const page = await keyhaven.adminEvents({ ...asked.query, cursor: asked.next });
  const list = byId("audit-list");
  if (!list || events !== asked) return; // somewhere else, or another list, meanwhile
  events.next = page.next;
  list.append(...page.events.map(eventRow));
  byId("more-audit").hidden = page.next === undefined;
}

function eventRow(event) {
  const { at, ip, userAgent, account, actor } = event;
  return el(
    "li",
    { class: "row", data: { testid: "audit", action: event.action } },
    el(
      "div",
      { class: "row-body" },
      el("p", { class: "row-title" }, ...eventText(event)),
      el(
        "p",
        { class: "row-meta" },
        time(at),
        account && el("a", { href: `#admin/users/${encodeURIComponent(account)}` }, el("code", {}, account)),
        actor && el("span", { t: ["admin.by", { actor: actor === "command_line" ? fill(el("span"), "admin.command_line") : el("code", {}, actor) }] }),
        ip && el("span", {}, ip),
        userAgent && device(userAgent),
      ),
    ),
  );
}

async function attempt(call) {
  try {
    await call();
  } catch (error) {
    report(error);
  }
}
