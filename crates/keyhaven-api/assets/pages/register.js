/**
 * Making an account: with a passkey, or with a password where that is allowed.
 *
 * @module pages/register
 */

import { keyhaven, report, run, sentence, state, tell, thisDevice } from "../context.js";
import { fill } from "../i18n.js";
import { byId, clearStatus, setFieldError } from "../ui.js";
import { requireText, showPanel } from "./desk.js";

/** Whether the new account is to have a password in place of a passkey. */
let withoutPasskey = false;

/** Shows the fields that this deployment asks for. */
export function drawRegistration({ passwordOnly = false } = {}) {
  withoutPasskey = passwordOnly;
  const both = state.features.passwordWithPasskey === "required";
  byId("register-password-field").hidden = !passwordOnly && !both;
  fill(byId("register-password-hint"), passwordOnly ? "register.password_hint" : "register.password_hint_both");
  fill(byId("register-button").querySelector("span"), passwordOnly ? "register.submit_password" : "register.submit");
  byId("register-guidance").hidden = passwordOnly;
  const toggle = byId("register-use-password");
  toggle.setAttribute("aria-expanded", String(passwordOnly));
  fill(toggle, passwordOnly ? "register.use_passkey" : "register.use_password");
}

byId("show-register").addEventListener("click", () => {
  clearStatus();
  const typed = byId("signin-username").value;
  drawRegistration();
  showPanel("register");
  if (!byId("register-username").value) byId("register-username").value = typed;
  byId("register-username").focus();
});

byId("register-use-password").addEventListener("click", () => {
  drawRegistration({ passwordOnly: !withoutPasskey });
  byId(withoutPasskey ? "register-password" : "register-username").focus();
});

byId("register-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const username = requireText(byId("register-username"), "username_required", report);
  if (!username) return;
  const displayName = byId("register-displayname").value.trim() || undefined;
  const email = byId("register-email").value.trim() || undefined;
  const asksPassword = !byId("register-password-field").hidden;
  const password = asksPassword ? byId("register-password").value : undefined;
  if (asksPassword && !requireText(byId("register-password"), "password_missing", report)) return;
  const account = { username, displayName, email, password };
  run(byId("register-button"), withoutPasskey ? null : "prompt.create", async () => {
    try {
      const result = withoutPasskey
        ? await keyhaven.registerWithPassword(account)
        : await keyhaven.register({ ...account, deviceName: thisDevice() });
      tell("signed-in", { ...result, message: email ? "registered_mail" : "registered" });
    } catch (error) {
      blame(error);
      throw error;
    }
  });
});

/** Puts the sentence under the field it is about, where that is known. */
function blame(error) {
  const field = {
    username_taken: "register-username",
    email_required: "register-email",
    password_required: "register-password",
    invalid_request: fieldNamed(error.detail ?? ""),
  }[error.code];
  if (!field) return;
  const input = byId(field);
  setFieldError(input, sentence(error));
  input.focus();
}

/** A refused value is named at the beginning of the detail. */
function fieldNamed(detail) {
  const names = { displayName: "register-displayname", email: "register-email", password: "register-password" };
  const input = Object.entries(names).find(([name]) => detail.startsWith(name))?.[1];
  return input && byId(`${input}-error`) ? input : "register-username";
}
