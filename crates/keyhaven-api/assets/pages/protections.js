/**
 * What guards the account beside its passkeys: recovery codes, the password, the client key; and a recovery that is under
 * way.
 *
 * @module pages/protections
 */

import { keyhaven, report, run, state, succeed, tell } from "../context.js";
import { fill, time } from "../i18n.js";
import { ask, button, byId, card, el, showOnce } from "../ui.js";

/** What there is, as it was read last. */
let security = { password: null, clientKey: false, recoveryCodesLeft: 0 };

/** The cards that this deployment has a use for. */
export function protectionCards() {
  const { mail, clientKey, passwordFallback, passwordWithPasskey } = state.features;
  const passwords = passwordFallback || passwordWithPasskey !== "off";
  return [mail && codesCard(), passwords && passwordCard(), clientKey !== "off" && clientKeyCard()].filter(Boolean);
}

/** Reads what there is and says it; `silently` where nobody has asked. */
export async function loadProtections({ silently = false } = {}) {
  try {
    security = await keyhaven.accountSecurity();
    draw();
  } catch (error) {
    if (!silently) report(error);
  }
}

function draw() {
  const { password, clientKey, recovery, recoveryCodesLeft: left } = security;
  if (byId("recovery-notice")) {
    byId("recovery-notice").hidden = !recovery;
    if (recovery) fill(byId("recovery-notice-text"), "recovery.waits", { when: time(recovery.readyAt, "exact") });
  }
  if (byId("codes-state")) {
    fill(byId("codes-state"), left === 0 ? "codes.none" : "codes.left", { count: left });
    byId("codes-card").dataset.lacking = String(left === 0);
    fill(byId("make-codes").querySelector("span"), left === 0 ? "codes.make" : "codes.make_new");
  }
  if (byId("password-state")) {
    fill(byId("password-state"), `password.${password ?? "none"}`);
    fill(byId("change-password").querySelector("span"), password ? "password.change" : "password.set");
    byId("remove-password").hidden = !password || state.features.passwordWithPasskey === "required";
  }
  if (byId("key-state")) {
    fill(byId("key-state"), clientKey ? "key.there" : "key.none");
    fill(byId("make-key").querySelector("span"), clientKey ? "key.make_new" : "key.make");
    byId("remove-key").hidden = !clientKey || state.features.clientKey === "required";
  }
}

// ── A recovery that waits ───────────────────────────────────────────────────────────────────────────────────────────

/** Stands above everything while somebody is on the way to recover the account. */
export function recoveryNotice() {
  return el(
    "div",
    { id: "recovery-notice", class: "notice", data: { kind: "warning" }, hidden: true },
    el("p", { id: "recovery-notice-text" }),
    el(
      "div",
      { class: "notice-actions" },
      button({ id: "recovery-stop", t: "cancel.confirm", kind: "secondary danger-text", on: stopRecovery }),
    ),
  );
}

async function stopRecovery(element) {
  await run(element, null, async () => {
    try {
      await keyhaven.cancelRecovery();
    } catch (error) {
      if (error.code !== "not_found") throw error;
      await loadProtections();
      throw Object.assign(error, { code: "recovery_gone" });
    }
    await changed("recovery_cancelled");
    tell("sessions-changed");
  });
}

// ── Recovery codes ──────────────────────────────────────────────────────────────────────────────────────────────────

function codesCard() {
  return card(
    "codes",
    "codes.title",
    {},
    el("p", { class: "card-text", t: "codes.text" }),
    el("p", { id: "codes-state", class: "state" }),
    el("p", { class: "card-foot" }, button({ id: "make-codes", t: "codes.make", kind: "secondary", on: makeCodes })),
  );
}

async function makeCodes(element) {
  if (security.recoveryCodesLeft > 0) {
    const question = { name: "codes-again", title: "codes.again_title", text: "codes.again_text", confirm: "codes.make_new" };
    if (!(await ask(question))) return;
  }
  const codes = await run(element, null, () => keyhaven.makeRecoveryCodes());
  if (!codes) return;
  await showOnce({ name: "codes-once", title: "codes.once_title", text: "codes.once_text", lines: codes, file: "recovery-codes.txt" });
  await changed("codes_made");
}

// ── The password ────────────────────────────────────────────────────────────────────────────────────────────────────

function passwordCard() {
  return card(
    "password",
    "password.title",
    {},
    el("p", { id: "password-state", class: "state" }),
    el(
      "p",
      { class: "card-foot" },
      button({ id: "change-password", t: "password.set", kind: "secondary", on: changePassword }),
      button({ id: "remove-password", t: "password.remove", kind: "secondary danger-text", on: removePassword, hidden: true }),
    ),
  );
}

/** The password so far, where the server wants it: where both are asked for, or there is no passkey to confirm with. */
function currentField() {
  return {
    name: "current",
    t: "password.current",
    type: "password",
    autocomplete: "current-password",
    required: "error.password_missing",
  };
}

/** Whether to ask for it: the server objected that it is missing, or it always is. */
function asksCurrent(objection) {
  return objection !== null || security.password === "with_passkey";
}

/** @param {[string, string] | null} [objection] what the server said of the answer before */
async function changePassword(element, objection = null) {
  const { passwordFallback, passwordWithPasskey } = state.features;
  const choice = passwordFallback && passwordWithPasskey === "by-account";
  const alone = passwordFallback && passwordWithPasskey !== "required";
  const answer = await ask({
    name: "password",
    title: security.password ? "password.change" : "password.set",
    text: "password.ends_sessions",
    confirm: "action.save",
    fields: [
      ...(asksCurrent(objection) ? [currentField()] : []),
      {
        name: "new",
        t: "password.new",
        type: "password",
        autocomplete: "new-password",
        required: "error.password_missing",
        hint: alone ? "register.password_hint" : "register.password_hint_both",
      },
      ...(choice
        ? [{ name: "both", t: "password.with_passkey_choice", type: "checkbox", value: security.password === "with_passkey" }]
        : []),
    ],
    objection,
  });
  if (!answer) return;
  const change = { password: answer.new, currentPassword: answer.current, withPasskey: choice ? answer.both : undefined };
  let again = null;
  await run(element, null, async () => {
    try {
      await keyhaven.changePassword(change);
    } catch (error) {
      again = objectionTo(error, answer.current);
      if (again) return;
      throw error;
    }
    await changed("password_changed");
    tell("sessions-changed");
  });
  if (again) await changePassword(element, again);
}

async function removePassword(element, objection = null) {
  const answer = await ask({
    name: "password",
    title: "password.remove_title",
    text: "password.ends_sessions",
    confirm: "password.remove",
    danger: true,
    fields: asksCurrent(objection) ? [currentField()] : [],
    objection,
  });
  if (!answer) return;
  let again = null;
  await run(element, null, async () => {
    try {
      await keyhaven.removePassword({ currentPassword: answer.current });
    } catch (error) {
      again = objectionTo(error, answer.current);
      if (again) return;
      throw error;
    }
    await changed("password_removed");
    tell("sessions-changed");
  });
  if (again) await removePassword(element, again);
}

/** Where the server only misses the password so far, or it was another one: what the dialog says of that. */
function objectionTo({ code }, given) {
  if (code === "password_required") return ["current", "error.password_required"];
  return given !== undefined && code === "authentication_failed" ? ["current", "error.password_wrong"] : null;
}

async function changed(done) {
  if (!state.current) return; // signed out meanwhile
  await loadProtections();
  succeed(done);
}

// ── The client key ──────────────────────────────────────────────────────────────────────────────────────────────────

function clientKeyCard() {
  return card(
    "key",
    "key.title",
    {},
    el("p", { class: "card-text", t: "key.text" }),
    el("p", { id: "key-state", class: "state" }),
    el(
      "p",
      { class: "card-foot" },
      button({ id: "make-key", t: "key.make", kind: "secondary", on: makeKey }),
      button({ id: "remove-key", t: "key.remove", kind: "secondary danger-text", on: removeKey, hidden: true }),
    ),
  );
}

async function makeKey(element) {
  if (security.clientKey) {
    const question = { name: "key-again", title: "key.again_title", text: "key.again_text", confirm: "key.make_new" };
    if (!(await ask(question))) return;
  }
  const key = await run(element, null, () => keyhaven.makeClientKey());
  if (!key) return;
  await showClientKey(key);
  await changed("key_made");
}

async function removeKey(element) {
  const question = { name: "key-remove", title: "key.remove_title", text: "key.remove_text", confirm: "key.remove", danger: true };
  if (!(await ask(question))) return;
  await run(element, null, async () => {
    await keyhaven.removeClientKey();
    await changed("key_removed");
  });
}

/** Shows a client key, this once. */
export function showClientKey(key) {
  const grouped = key.match(/.{1,4}/g).join("-");
  return showOnce({ name: "key-once", title: "key.once_title", text: "key.once_text", lines: [grouped], file: "client-key.txt" });
}
