/**
 * Signing in: by name, with any passkey, from the autofill list, with a password where that is allowed, and with more
 * than a passkey where that is asked for.
 *
 * @module pages/sign-in
 */

import { keyhaven, report, run, sentence, state, tell } from "../context.js";
import { fill } from "../i18n.js";
import { byId, clearStatus, setFieldError, showStatus } from "../ui.js";
import { requireText, showPanel } from "./desk.js";

let autofill = null;
let autofillUnavailable = false;

/** What is asked for beside the passkey: the name it began with, and whether that is `password`, `key`. */
let asked = null;

/**
 * Has the browser offer passkeys in the name field.
 *
 * @param {{ waitForFocus?: boolean }} options `waitForFocus`: not until the field is used. After a sign-out, an
 *   authenticator that answers without a gesture must not sign the person straight in again
 */
export function startAutofill({ waitForFocus = false } = {}) {
  stopAutofill();
  if (waitForFocus) {
    byId("signin-username").addEventListener("focus", () => startAutofill(), { once: true });
    return;
  }
  if (state.current || autofillUnavailable) return;
  autofill = keyhaven.autofill({
    onSignIn: (result) => signedIn(result),
    onError: (error) => {
      if (error.code === "security_error") autofillUnavailable = true;
      if (!askForMore(error)) report(error);
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

/** Takes the offer back. */
export function stopAutofill() {
  autofill?.stop();
  autofill = null;
}

function signedIn(result) {
  forgetFactors();
  tell("signed-in", { ...result, message: "signed_in" });
}

function signIn(button, username) {
  return run(button, "prompt.passkey", async () => {
    try {
      signedIn(await keyhaven.login({ username }));
    } catch (error) {
      if (!askForMore(error, username)) throw error;
    }
  });
}

function signInWithPassword(username, password) {
  return run(byId("signin-button"), null, async () => {
    const result = await keyhaven.loginWithPassword({ username, password });
    byId("signin-password").value = "";
    signedIn(result);
  });
}

function passwordShown() {
  return !byId("signin-password-field").hidden;
}

function showPassword(shown) {
  byId("signin-password-field").hidden = !shown;
  const toggle = byId("signin-use-password");
  toggle.setAttribute("aria-expanded", String(shown));
  fill(toggle, shown ? "signin.use_passkey" : "signin.use_password");
  fill(byId("signin-button"), shown ? "signin.submit_password" : "signin.submit");
}

/** What accounts are called by differs. */
function nameMissing() {
  return state.features.identifier === "email" ? "email_missing" : "username_required";
}

byId("signin-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const username = requireText(byId("signin-username"), nameMissing(), report);
  if (!username) return;
  if (!passwordShown()) return signIn(byId("signin-button"), username);
  // What is typed is the password, blanks and all.
  const password = byId("signin-password").value;
  if (requireText(byId("signin-password"), "password_missing", report)) signInWithPassword(username, password);
});

byId("signin-passkey-button").addEventListener("click", (event) => {
  setFieldError(byId("signin-username"), null);
  signIn(event.currentTarget, undefined);
});

byId("signin-use-password").addEventListener("click", () => {
  showPassword(!passwordShown());
  const name = byId("signin-username");
  if (passwordShown() && name.value) byId("signin-password").focus();
  else name.focus();
});

// ── More than a passkey ─────────────────────────────────────────────────────────────────────────────────────────────

/** Where the answer asks for more, asks the person for it. Tells whether it did. */
function askForMore(error, username) {
  const { passwordWithPasskey, clientKey } = state.features;
  if (error.code !== "password_required" && error.code !== "client_key_mismatch") return false;
  asked ??= { username, password: false, key: false };
  asked.password ||= error.code === "password_required" || passwordWithPasskey === "required";
  asked.key ||= error.code === "client_key_mismatch" || clientKey === "required";
  byId("factor-password-field").hidden = !asked.password;
  byId("factor-key-field").hidden = !asked.key;
  showPanel("factor", { focus: asked.password && !byId("factor-password").value ? "factor-password" : "factor-key" });
  if (asked.password && !asked.key) byId("factor-password").focus();
  // The passkey was right: that more is needed is no failure, unless it was given and is wrong.
  const given = asked.key && byId("factor-key").value !== "";
  if (given) setFieldError(byId("factor-key"), sentence(error));
  showStatus({ t: sentence(error), code: error.code, kind: given ? "error" : "hint" });
  return true;
}

function forgetFactors() {
  asked = null;
  byId("factor-form").reset();
  byId("factor-password-field").hidden = true;
  byId("factor-key-field").hidden = true;
}

byId("factor-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const password = asked?.password ? byId("factor-password").value : undefined;
  if (asked?.password && !requireText(byId("factor-password"), "password_missing", report)) return;
  const clientKey = asked?.key ? requireText(byId("factor-key"), "client_key_missing", report) : undefined;
  if (clientKey === "") return;
  const username = asked?.username;
  run(byId("factor-button"), "prompt.passkey", async () => {
    try {
      signedIn(await keyhaven.login({ username, password, clientKey }));
    } catch (error) {
      if (!askForMore(error, username)) throw error;
    }
  });
});

byId("factor-panel").querySelector('[data-panel="signin"]').addEventListener("click", forgetFactors);

/** Forgets what was typed and asked. */
export function resetSignIn() {
  forgetFactors();
  showPassword(false);
}

byId("show-signin").addEventListener("click", () => {
  clearStatus();
  showPanel("signin", { focus: "signin-username" });
});
