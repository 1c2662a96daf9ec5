/**
 * Making an account: with a passkey, or with a password where that is allowed. Where accounts are called by their e-mail
 * addresses, a code proves the address first.
 *
 * @module pages/register
 */

import { keyhaven, report, run, sentence, state, succeed, tell } from "../context.js";
import { fill } from "../i18n.js";
import { KeyhavenError } from "../keyhaven.js";
import { byId, clearStatus, setFieldError } from "../ui.js";
import { requireText, showPanel } from "./desk.js";

/** Whether the new account is to have a password in place of a passkey. */
let withoutPasskey = false;

/** Where accounts are called by their addresses: what the code belongs to, once it was mailed. */
let proofId = null;

function byAddress() {
  return state.features.identifier === "email";
}

/** Begins anew, with the fields that this deployment asks for. */
export function resetRegistration() {
  withoutPasskey = false;
  proofId = null;
  draw();
}

/** Goes on with the code of a mailed link, in the browser that asked for it. */
export function showMailedCode(token) {
  const [id, code] = token.split(".");
  proofId = id;
  byId("register-code").value = code ?? "";
  draw();
  showPanel("register", { focus: "register-displayname" });
}

function draw() {
  const { mail, passwordWithPasskey } = state.features;
  const asksAddress = byAddress() && proofId === null;
  const both = passwordWithPasskey === "required";
  const shown = (id, yes) => {
    byId(id).hidden = !yes;
  };
  shown("register-username-field", !byAddress());
  shown("register-email-field", byAddress() ? asksAddress : mail);
  shown("register-email-optional", !byAddress());
  fill(byId("register-email-hint"), byAddress() ? "register.email_name_hint" : "register.email_hint");
  shown("register-code-field", proofId !== null);
  shown("register-password-field", !asksAddress && (withoutPasskey || both));
  fill(byId("register-password-hint"), withoutPasskey ? "register.password_hint" : "register.password_hint_both");
  const create = withoutPasskey ? "register.submit_password" : "register.submit";
  fill(byId("register-button").querySelector("span"), asksAddress ? "register.submit_address" : create);
  byId("register-button").querySelector("svg").toggleAttribute("hidden", withoutPasskey || asksAddress);
  shown("register-guidance", !withoutPasskey && !asksAddress);
  const toggle = byId("register-use-password");
  toggle.hidden = !state.features.passwordFallback || asksAddress;
  toggle.setAttribute("aria-expanded", String(withoutPasskey));
  fill(toggle, withoutPasskey ? "register.use_passkey" : "register.use_password");
}

byId("show-register").addEventListener("click", () => {
  clearStatus();
  const typed = byId("signin-username").value;
  resetRegistration();
  const field = byId(byAddress() ? "register-email" : "register-username");
  showPanel("register");
  if (!field.value) field.value = typed;
  field.focus();
});

byId("register-use-password").addEventListener("click", () => {
  withoutPasskey = !withoutPasskey;
  draw();
  byId(withoutPasskey ? "register-password" : "register-displayname").focus();
});

byId("register-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (byAddress() && proofId === null) askForCode();
  else create();
});

function askForCode() {
  const email = requireText(byId("register-email"), "email_missing", report);
  if (!email) return;
  run(byId("register-button"), null, async () => {
    try {
      ({ emailProofId: proofId } = await keyhaven.requestRegistration(email));
    } catch (error) {
      blame(error);
      throw error;
    }
    draw();
    byId("register-code").focus();
    succeed("register_code_sent");
  });
}

/** What the form says of the new account; `null` where something is missing. */
function account() {
  const displayName = byId("register-displayname").value.trim() || undefined;
  const asksPassword = !byId("register-password-field").hidden;
  const password = asksPassword ? byId("register-password").value : undefined;
  if (byAddress()) {
    const emailCode = requireText(byId("register-code"), "code_missing", report).replaceAll(/\s/g, "");
    if (!emailCode) return null;
    if (asksPassword && !passwordWillDo()) return null;
    return { emailProofId: proofId, emailCode, displayName, password };
  }
  const username = requireText(byId("register-username"), "username_required", report);
  if (!username) return null;
  if (asksPassword && !passwordWillDo()) return null;
  return { username, displayName, email: byId("register-email").value.trim() || undefined, password };
}

/** Whether a password is there and long enough: the server says so only once the passkey is made. */
function passwordWillDo() {
  const input = byId("register-password");
  if (!requireText(input, "password_missing", report)) return false;
  const [least, code] = withoutPasskey ? [15, "password_short_alone"] : [8, "password_short"];
  // Counted as the server counts.
  if ([...input.value.normalize("NFC")].length >= least) return true;
  const error = new KeyhavenError({ code });
  setFieldError(input, sentence(error));
  report(error);
  input.focus();
  return false;
}

function create() {
  const wanted = account();
  if (!wanted) return;
  let prompted = false;
  const onPrompt = () => {
    prompted = true;
  };
  run(byId("register-button"), withoutPasskey ? null : "prompt.create", async () => {
    try {
      const result = withoutPasskey ? await keyhaven.registerWithPassword(wanted) : await keyhaven.register({ ...wanted, onPrompt });
      tell("signed-in", { ...result, message: wanted.email ? "registered_mail" : "registered" });
    } catch (error) {
      if (error.code === "signed_in_meanwhile") await goOnSignedIn();
      const told = wanted.emailProofId ? codeRefused(error, prompted) : error;
      blame(told);
      throw told;
    }
  });
}

/** Somebody is signed in, from another tab say: goes on as they. A sign-in from the autofill list goes on by itself. */
async function goOnSignedIn() {
  const current = await keyhaven.session();
  if (current && !state.current) tell("signed-in", current);
}

/**
 * Every failure of a code is one: answered is what it means. A code that is late is asked for anew, and one that is used
 * up, as it is once the browser asked for the passkey.
 */
function codeRefused(error, prompted) {
  if (error.code === "authentication_failed" && !prompted) error.code = "register_code_wrong";
  if (error.code !== "challenge_missing" && !prompted) return error;
  resetRegistration();
  byId("register-code").value = "";
  byId("register-email").focus();
  return prompted ? new KeyhavenError({ code: "register_code_used", cause: error }) : error;
}

/** Puts the sentence under the field it is about, where that is known. */
function blame(error) {
  const field = {
    username_taken: "register-username",
    email_required: "register-email",
    password_required: "register-password",
    register_code_wrong: "register-code",
    invalid_request: fieldNamed(error.detail ?? ""),
  }[error.code];
  if (!field) return;
  const input = byId(field);
  setFieldError(input, sentence(error));
  input.focus();
}

/** A refused value is named at the beginning of the detail. */
function fieldNamed(detail) {
  const named = ["email", "password"].find((name) => detail.startsWith(name));
  if (named) return `register-${named}`;
  return byAddress() ? "register-email" : "register-username";
}
