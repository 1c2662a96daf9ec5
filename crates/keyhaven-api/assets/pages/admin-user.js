/**
 * For administrators: one account, and what can be done to it.
 *
 * @module pages/admin-user
 */

import { keyhaven, report, run, state, succeed } from "../context.js";
import { fill, time } from "../i18n.js";
import { ask, button, byId, card, device, el, facts, icon, showOnce } from "../ui.js";

/** Tells later whether the address is still the one it is now, and who looks at it. */
function staying() {
  const address = location.hash;
  const person = state.current?.user.id;
  return () => location.hash === address && state.current !== null && state.current.user.id === person;
}

/** Reads an account and draws it into `place`. */
export async function showUser(place, id) {
  const here = staying();
  try {
    const details = await keyhaven.adminUser(id);
    if (here()) draw(place, details);
  } catch (error) {
    if (!here()) return;
    report(error);
    place.replaceChildren(el("div", { class: "column-main" }, back()));
  }
}

function back() {
  return el("p", {}, el("a", { href: "#admin", class: "back", t: "admin.back" }));
}

function draw(place, details) {
  const { user, lock } = details;
  const here = staying();
  const again = async () => {
    if (!here()) return;
    await showUser(place, user.id);
    byId("user-title")?.focus();
  };
  const own = user.id === state.current.user.id;
  place.replaceChildren(
    el("div", { class: "column-main" }, back(), userCard(details, { own, again }), passkeysCard(details, again), sessionsCard(details)),
    el("div", { class: "column-side" }, standingCard(details)),
  );
  if (lock) byId("user-lock").hidden = false;
}

function userCard({ user, lock, enrolmentLink }, { own, again }) {
  const locked = user.state === "locked";
  const act = (call, done) => (element) => run(element, null, async () => {
    await call();
    await again();
    succeed(done, { name: user.username });
  });
  const reason = lock && fill(el("p", { id: "user-lock", class: "notice inline" }), "admin.locked_because", { reason: lock.reason, when: time(lock.at) });
  return card(
    "user",
    ["raw", { text: user.username }],
    {},
    el(
      "p",
      { class: "row-sub" },
      user.role === "admin" && el("span", { class: "badge", data: { kind: "synced" }, t: "admin.role" }),
      locked && el("span", { class: "badge", data: { kind: "suspended", testid: "user-locked" }, t: "admin.locked" }),
      own && el("span", { class: "badge", t: "admin.yourself" }),
    ),
    reason,
    enrolmentLink && el("p", { class: "notice inline", t: ["admin.link_pending", { when: time(enrolmentLink.expiresAt, "exact") }] }),
    el(
      "p",
      { class: "card-foot" },
      !locked && button({ id: "user-enrol", t: "admin.enrol", kind: "secondary", on: (element) => enrol(element, user, again) }),
      button({ id: "user-sign-out", t: "sessions.end_all", kind: "secondary", on: act(() => keyhaven.adminSignOut(user.id), "admin_signed_out") }),
      locked && button({ id: "user-unlock", t: "admin.unlock", kind: "secondary", on: act(() => keyhaven.adminUnlock(user.id), "admin_unlocked") }),
      !locked && !own && button({ id: "user-lock-button", t: "admin.lock", kind: "secondary danger-text", on: (element) => lockUser(element, user, again) }),
    ),
  );
}

function standingCard({ user, factors, recovery }) {
  const yes = (there) => el("span", { t: there ? "admin.yes" : "admin.no" });
  const address = el("span", { t: user.emailVerified ? "email.verified" : "email.unverified" });
  if (user.email) fill(address, user.emailVerified ? "email.verified" : "email.unverified", { address: user.email });
  return card(
    "standing",
    "account.title",
    {},
    facts(
      [
        ["field.displayname", user.displayName],
        user.email && ["field.email", address],
        ["account.id", el("code", {}, user.id)],
        ["admin.since", time(user.createdAt)],
        ["admin.login", time(user.lastLoginAt)],
        ["field.password", yes(factors.password)],
        ["field.client_key", yes(factors.clientKey)],
        ["codes.title", String(factors.recoveryCodes)],
        recovery && ["admin.recovery", time(recovery.readyAt, "exact")],
      ].filter(Boolean),
    ),
  );
}

function passkeysCard({ user, credentials }, again) {
  const row = (credential) =>
    el(
      "li",
      { class: "row", data: { testid: "user-passkey" } },
      el("span", { class: "row-icon" }, icon("passkey")),
      el(
        "div",
        { class: "row-body" },
        el("h3", {}, credential.deviceName),
        el(
          "p",
          { class: "row-meta" },
          credential.authenticatorName && el("span", {}, credential.authenticatorName),
          el("span", { t: ["passkey.created", { when: time(credential.createdAt) }] }),
          credential.lastUsedAt && el("span", { t: ["passkey.last_used", { when: time(credential.lastUsedAt) }] }),
          !credential.active && el("span", { class: "badge", data: { kind: "suspended" }, t: "passkey.off" }),
        ),
      ),
      el(
        "div",
        { class: "row-actions" },
        el("button", {
          type: "button",
          class: "button quiet danger-text",
          data: { testid: "user-remove-passkey" },
          t: "admin.remove",
          label: ["passkey.delete_label", { name: credential.deviceName }],
          on: { click: ({ currentTarget }) => removePasskey(currentTarget, user, credential, { last: isLast(credential, credentials), again }) },
        }),
      ),
    );
  return card(
    "user-passkeys",
    "passkeys.title",
    {},
    el("ul", { class: "rows", "aria-labelledby": "user-passkeys-title" }, ...credentials.map(row)),
    credentials.length === 0 && el("p", { class: "empty", t: "passkeys.none" }),
  );
}

function isLast(credential, credentials) {
  return credential.active && credentials.filter(({ active }) => active).length === 1;
}

function sessionsCard({ sessions }) {
  const row = (session) =>
    el(
      "li",
      { class: "row" },
      el("span", { class: "row-icon" }, icon("computer")),
      el(
        "div",
        { class: "row-body" },
        el("h3", {}, device(session.userAgent)),
        el(
          "p",
          { class: "row-meta" },
          session.ip && el("span", {}, session.ip),
          el("span", { t: ["sessions.since", { when: time(session.createdAt) }] }),
          el("span", { t: ["sessions.seen", { when: time(session.lastSeenAt) }] }),
        ),
      ),
    );
  return card(
    "user-sessions",
    "admin.sessions",
    {},
    el("ul", { class: "rows", "aria-labelledby": "user-sessions-title" }, ...sessions.map(row)),
    sessions.length === 0 && el("p", { class: "empty", t: "admin.no_sessions" }),
  );
}

async function lockUser(element, user, again) {
  const answer = await ask({
    name: "lock",
    title: ["admin.lock_title", { name: user.username }],
    text: "admin.lock_text",
    confirm: "admin.lock",
    danger: true,
    fields: [{ name: "reason", t: "admin.reason", maxlength: 256, autocomplete: "off", required: "error.reason_missing" }],
  });
  if (!answer) return;
  run(element, null, async () => {
    await keyhaven.adminLock(user.id, answer.reason.trim());
    await again();
    succeed("admin_locked", { name: user.username });
  });
}

async function removePasskey(element, user, credential, { last, again }) {
  const question = {
    name: "user-passkey",
    title: ["passkey.delete_title", { name: credential.deviceName }],
    text: last ? "admin.remove_last_text" : "admin.remove_text",
    confirm: "passkey.delete_confirm",
    danger: true,
  };
  if (!(await ask(question))) return;
  run(element, null, async () => {
    await keyhaven.adminRemovePasskey(user.id, credential.id, last ? { evenLast: true } : undefined);
    await again();
    succeed("deleted", { name: credential.deviceName });
  });
}

async function enrol(element, user, again) {
  const byMail = state.features.mail && user.email && user.emailVerified;
  const answer = await ask({
    name: "enrol",
    title: ["admin.enrol_title", { name: user.username }],
    text: "admin.enrol_text",
    confirm: "admin.enrol",
    fields: byMail ? [{ name: "mail", t: "admin.enrol_mail", type: "checkbox" }] : [],
  });
  if (!answer) return;
  const offer = await run(element, null, () => keyhaven.adminEnrolmentLink(user.id, { mail: answer.mail === true }));
  if (!offer) return;
  if (offer.link) {
    await showOnce({ name: "enrol-once", title: "admin.once_title", text: "admin.once_text", lines: [offer.link], file: "enrolment-link.txt" });
  }
  if (!state.current) return; // signed out meanwhile
  await again();
  succeed(offer.mailed ? "admin_link_mailed" : "admin_link_made", { name: user.username });
}
