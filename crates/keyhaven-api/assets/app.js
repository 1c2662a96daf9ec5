/**
 * The page at `/`: sign in, create an account, and the signed-in person's passkeys and sessions.
 *
 * `document.documentElement.dataset.state` is `loading`, `signed-out` or `signed-in`, set when the view is complete;
 * `dataset.autofill` is `on` while the browser has been asked to offer passkeys in the name field.
 * `#status` is the live region; its `data-code` holds the code of what it says. All talk with the server goes through
 * `keyhaven.js`, all sentences for errors come from `messages.js`, all drawing is in `view.js`.
 *
 * @module app
 */

import { Keyhaven, KeyhavenError } from "./keyhaven.js";
import { kindOf, MESSAGES, sentenceFor } from "./messages.js";
import * as view from "./view.js";

const { byId } = view;
const base = document.querySelector('meta[name="keyhaven-base"]').content;
const keyhaven = new Keyhaven({ baseUrl: base });

/** Longest wait of `setTimeout`. */
const MAX_TIMEOUT = 2 ** 31 - 1;

const state = {
  /** One flow at a time: a second click while a prompt is open does nothing. */
  busy: false,
  signedIn: false,
  capabilities: null,
  autofillUnavailable: false,
  expiryTimer: 0,
};

// ── Views ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function setState(name) {
  document.documentElement.dataset.state = name;
}

function showView(id) {
  for (const other of ["loading", "signed-out", "signed-in"]) byId(other).hidden = other !== id;
  byId("sign-out").hidden = id !== "signed-in";
}

/**
 * @param {{ focus?: boolean, waitForFocus?: boolean }} [options] `waitForFocus`: no autofill until the name field is
 *   used. After a sign-out, an authenticator that answers without a gesture must not sign the person straight in again.
 */
function showSignedOut({ focus = false, waitForFocus = false } = {}) {
  state.signedIn = false;
  clearTimeout(state.expiryTimer);
  closeDialogs();
  // Nothing of the account stays in the page.
  for (const list of ["passkey-list", "session-list", "account-facts", "session-facts"]) byId(list).replaceChildren();
  byId("greeting-name").textContent = "";
  byId("signin-form").reset();
  byId("register-form").reset();
  showPanel("signin");
  showView("signed-out");
  document.title = "Sign in · Keyhaven";
  if (focus) byId("welcome-title").focus();
  startAutofill({ waitForFocus });
  setState("signed-out");
}

function showPanel(name) {
  byId("signin-panel").hidden = name !== "signin";
  byId("register-panel").hidden = name !== "register";
  for (const id of ["signin-username", "register-username"]) view.setFieldError(byId(id), null);
}

/** @param {import("./keyhaven.d.ts").SessionState} current */
async function showSignedIn({ user, session }, { focus = false } = {}) {
  state.signedIn = true;
  byId("greeting-name").textContent = user.displayName || user.username;
  drawAccount(user);
  drawSession(session);
  byId("passkey-list").setAttribute("aria-busy", "true");
  showView("signed-in");
  document.title = "Your account · Keyhaven";
  if (focus) byId("greeting").focus();
  watchExpiry(session);
  await Promise.all([loadPasskeys(), loadSessions()]);
  if (state.signedIn) setState("signed-in");
}

function drawAccount(user) {
  const facts = [["User name", user.username]];
  if (user.displayName && user.displayName !== user.username) facts.push(["Name", user.displayName]);
  if (user.email) facts.push(["E-mail", `${user.email}${user.emailVerified ? "" : " (not verified)"}`]);
  const id = document.createElement("code");
  id.textContent = user.id;
  facts.push(["Account id", id]);
  view.fillFacts(byId("account-facts"), facts);
}

function drawSession(session) {
  const { level, methods } = view.describeAssurance(session.aal, session.amr);
  view.fillFacts(byId("session-facts"), [
    ["Signed in", view.time(session.authTime, "unknown")],
    ["Ends", view.time(session.expiresAt, "unknown")],
    ["Assurance", level],
    ["Proved by", methods],
  ]);
}

async function loadPasskeys() {
  try {
    const { credentials, rpId } = await keyhaven.credentials();
    view.fillText("rp-id", rpId ?? location.hostname);
    view.drawPasskeys(credentials, { onRename: askRename, onDelete: askDelete });
  } catch (error) {
    byId("passkey-list").setAttribute("aria-busy", "false");
    report(error);
  }
}

async function loadSessions() {
  try {
    const sessions = await keyhaven.sessions();
    view.drawSessions(sessions, revoke);
    byId("sessions-card").hidden = sessions.length === 0;
    byId("revoke-others").hidden = sessions.filter(({ current }) => !current).length < 2;
  } catch (error) {
    byId("sessions-card").hidden = true;
    if (error.code !== "not_found") report(error);
  }
}

/** Leaves the signed-in view when its session ends by itself. */
function watchExpiry({ expiresAt }) {
  clearTimeout(state.expiryTimer);
  const end = view.toDate(expiresAt);
  if (!end) return;
  const wait = Math.min(Math.max(end - Date.now(), 0) + 1_000, MAX_TIMEOUT);
  state.expiryTimer = setTimeout(recheck, wait);
}

/** Another tab may have signed in or out, and sessions end: asks again who is signed in. */
async function recheck() {
  if (state.busy || byId("signed-out").hidden === byId("signed-in").hidden) return;
  try {
    const current = await keyhaven.session();
    if (state.busy) return;
    if (current && !state.signedIn) await enter(current);
    else if (!current && state.signedIn) sessionEnded("session_expired");
    else if (current) {
      drawSession(current.session);
      watchExpiry(current.session);
    }
  } catch {
    // Out of reach for the moment; the next action says so.
  }
}

async function enter(current, message) {
  autofill?.stop();
  await showSignedIn(current, { focus: true });
  // The session may have ended meanwhile, and has been told so.
  if (message && state.signedIn) succeed(message.code, message.text);
}

function sessionEnded(code) {
  showSignedOut({ focus: true, waitForFocus: true });
  view.showStatus({ text: MESSAGES[code], code, kind: "hint" });
}

// ── Saying what happened ────────────────────────────────────────────────────────────────────────────────────────────

function succeed(code, text) {
  view.showStatus({ text, code, kind: "success" });
}

function report(error) {
  if (!(error instanceof KeyhavenError)) console.error(error);
  if (state.signedIn && (error.code === "unauthenticated" || error.code === "session_expired")) {
    return sessionEnded("session_expired");
  }
  view.showStatus({ text: sentenceFor(error), code: error.code ?? "unknown", kind: kindOf(error) });
}

/**
 * Runs one flow from one button: marks it busy, says what is going on, reports what goes wrong.
 *
 * @param {HTMLElement} button
 * @param {string | null} prompt what the person is to do meanwhile
 * @param {() => Promise<void>} flow
 */
async function run(button, prompt, flow) {
  if (state.busy) return;
  state.busy = true;
  view.setBusy(button, true);
  if (prompt) view.showStatus({ text: prompt, code: "prompt", kind: "info" });
  else view.clearStatus();
  try {
    await flow();
  } catch (error) {
    report(error);
  } finally {
    state.busy = false;
    view.setBusy(button, false);
  }
}

// ── Signing in ──────────────────────────────────────────────────────────────────────────────────────────────────────

let autofill = null;

function startAutofill({ waitForFocus }) {
  autofill?.stop();
  autofill = null;
  if (waitForFocus) {
    byId("signin-username").addEventListener("focus", () => startAutofill({ waitForFocus: false }), { once: true });
    return;
  }
  if (state.signedIn || state.autofillUnavailable) return;
  autofill = keyhaven.autofill({
    onSignIn: (result) => enter(result, { code: "signed_in", text: "You are signed in." }),
    onError: (error) => {
      if (error.code === "security_error") state.autofillUnavailable = true;
      report(error);
    },
    onOffer: () => {
      document.documentElement.dataset.autofill = "on";
    },
  });
  const started = autofill;
  autofill.finished.then(() => {
    if (autofill === started || autofill === null) delete document.documentElement.dataset.autofill;
  });
}

function signIn(button, username) {
  return run(button, "Your browser is asking for your passkey.", async () => {
    const result = await keyhaven.login({ username });
    await enter(result, { code: "signed_in", text: "You are signed in." });
  });
}

byId("signin-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("signin-username");
  const username = requireText(input, "username_required");
  if (username) signIn(byId("signin-button"), username);
});

byId("signin-passkey-button").addEventListener("click", (event) => {
  view.setFieldError(byId("signin-username"), null);
  signIn(event.currentTarget, undefined);
});

byId("register-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("register-username");
  const username = requireText(input, "username_required");
  if (!username) return;
  const displayName = byId("register-displayname").value.trim() || undefined;
  run(byId("register-button"), "Your browser is asking where to keep your new passkey.", async () => {
    try {
      const result = await keyhaven.register({ username, displayName, deviceName: thisDevice() });
      await enter(result, { code: "registered", text: "Your account and its first passkey are ready." });
    } catch (error) {
      if (error.code === "username_taken" || error.code === "invalid_request") {
        view.setFieldError(input, sentenceFor(error));
        input.focus();
      }
      throw error;
    }
  });
});

byId("show-register").addEventListener("click", () => {
  view.clearStatus();
  const typed = byId("signin-username").value;
  showPanel("register");
  if (!byId("register-username").value) byId("register-username").value = typed;
  byId("register-username").focus();
});

byId("show-signin").addEventListener("click", () => {
  view.clearStatus();
  showPanel("signin");
  byId("signin-username").focus();
});

for (const id of ["signin-username", "register-username", "rename-input"]) {
  byId(id).addEventListener("input", ({ currentTarget }) => view.setFieldError(currentTarget, null));
}

byId("sign-out").addEventListener("click", (event) => {
  run(event.currentTarget, null, async () => {
    await keyhaven.signOut();
    showSignedOut({ focus: true, waitForFocus: true });
    succeed("signed_out", "You are signed out.");
  });
});

/** The field's text, or `""` after saying that it is missing. */
function requireText(input, code) {
  const text = input.value.trim();
  view.setFieldError(input, text ? null : MESSAGES[code]);
  if (!text) {
    if (!input.closest("dialog")) view.showStatus({ text: MESSAGES[code], code, kind: "hint" });
    input.focus();
  }
  return text;
}

/** First name of a new passkey; its owner can change it. */
function thisDevice() {
  return view.describeUserAgent(navigator.userAgent);
}

// ── Passkeys ────────────────────────────────────────────────────────────────────────────────────────────────────────

byId("add-passkey").addEventListener("click", (event) => {
  run(event.currentTarget, "Your browser is asking where to keep the new passkey.", async () => {
    await keyhaven.addPasskey({ deviceName: thisDevice() });
    await loadPasskeys();
    succeed("passkey_added", "The new passkey is ready.");
  });
});

let chosen = null;

function askRename(credential) {
  view.clearStatus();
  chosen = credential;
  const input = byId("rename-input");
  input.value = view.passkeyName(credential);
  view.setFieldError(input, null);
  byId("rename-dialog").showModal();
  input.select();
}

byId("rename-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = requireText(byId("rename-input"), "name_required");
  if (!name) return;
  const { id } = chosen;
  run(byId("rename-save"), null, async () => {
    try {
      await keyhaven.renameCredential(id, name);
    } finally {
      byId("rename-dialog").close();
    }
    await loadPasskeys();
    focusRow(id, "rename");
    succeed("renamed", `Renamed to “${name}”.`);
  });
});

function askDelete(credential) {
  view.clearStatus();
  chosen = credential;
  byId("delete-name").textContent = view.passkeyName(credential);
  byId("delete-dialog").showModal();
}

byId("delete-confirm").addEventListener("click", () => {
  const { id } = chosen;
  const name = view.passkeyName(chosen);
  byId("delete-dialog").close();
  const button = document.querySelector(`[data-credential-id="${CSS.escape(id)}"] [data-testid="delete"]`);
  run(button ?? byId("delete-confirm"), null, async () => {
    await keyhaven.deleteCredential(id);
    await loadPasskeys();
    if (state.signedIn) await loadSessions(); // its sessions may have ended with it, this one included
    if (!state.signedIn) return;
    byId("passkeys-title").focus();
    succeed("deleted", `“${name}” is deleted.`);
  });
});

for (const name of ["rename", "delete"]) {
  byId(`${name}-cancel`).addEventListener("click", () => byId(`${name}-dialog`).close());
}

function focusRow(id, part) {
  document.querySelector(`[data-credential-id="${CSS.escape(id)}"] [data-testid="${part}"]`)?.focus();
}

function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
}

// ── Sessions ────────────────────────────────────────────────────────────────────────────────────────────────────────

function revoke({ id, userAgent }) {
  const button = document.querySelector(`[data-session-id="${CSS.escape(id)}"] [data-testid="revoke-session"]`);
  return run(button, null, async () => {
    await keyhaven.revokeSession(id);
    await loadSessions();
    byId("sessions-title").focus();
    succeed("session_revoked", `${view.describeUserAgent(userAgent)} is signed out.`);
  });
}

byId("revoke-others").addEventListener("click", (event) => {
  run(event.currentTarget, null, async () => {
    await keyhaven.revokeOtherSessions();
    await loadSessions();
    byId("sessions-title").focus();
    succeed("session_revoked", "All other devices are signed out.");
  });
});

// ── Start ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Says what the browser lacks. Passkeys stay on offer wherever WebAuthn is: there are security keys and phones. */
function explainCapabilities({ webauthn, secureContext, platformAuthenticator, conditionalGet }) {
  let kind = "";
  let text = "";
  if (!webauthn && !secureContext) {
    kind = "insecure";
    text = "Browsers offer passkeys only on secure pages. Open this page over https, or on localhost.";
  } else if (!webauthn) {
    kind = "no-webauthn";
    text = "This browser cannot use passkeys. Update it, or open this page in Chrome, Edge, Firefox or Safari.";
  } else if (!platformAuthenticator) {
    kind = "no-platform";
    text =
      "This device has no fingerprint reader, face recognition or screen lock set up for passkeys. Use a security " +
      "key (USB or NFC), your phone, or a password manager instead.";
    byId("register-guidance").textContent =
      "Your browser will ask for your security key or phone. Touch the key and enter its PIN when asked: the account " +
      "exists only once it has confirmed that it is you.";
  }
  const notice = byId("capability-notice");
  notice.dataset.kind = kind;
  notice.hidden = kind === "";
  byId("capability-text").textContent = text;
  byId("signin-username-hint").hidden = !conditionalGet;
}

byId("status-dismiss").addEventListener("click", () => {
  view.clearStatus();
  byId("main").focus();
});

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") recheck();
});

async function start() {
  view.fillText("domain", location.hostname);
  keyhaven
    .version()
    .then(({ name, version }) => {
      byId("version").textContent = `${capitalised(name)} ${version}`;
    })
    .catch(() => undefined);
  state.capabilities = await keyhaven.capabilities();
  explainCapabilities(state.capabilities);
  let current = null;
  try {
    current = await keyhaven.session();
  } catch (error) {
    report(error);
  }
  if (current) await showSignedIn(current);
  else showSignedOut();
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

start();
