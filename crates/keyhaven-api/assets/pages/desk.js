/**
 * What somebody sees who is not signed in: one panel at a time, beside the page's promise.
 *
 * @module pages/desk
 */

import { state } from "../context.js";
import { fill } from "../i18n.js";
import { byId, clearStatus, setFieldError } from "../ui.js";

const PANELS = ["signin", "factor", "register", "recover"];

/** Shows one panel; `focus` is the id of what gets the focus. */
export function showPanel(name, { focus } = {}) {
  for (const panel of PANELS) byId(`${panel}-panel`).hidden = panel !== name;
  for (const input of byId("signed-out").querySelectorAll("input")) setFieldErrorIfAny(input);
  if (focus) byId(focus).focus();
}

/** Empties every field: nothing of one person is left for the next. */
export function resetDesk() {
  for (const form of byId("signed-out").querySelectorAll("form")) form.reset();
  showPanel("signin");
  byId("link-notice").hidden = state.emailToken === null;
}

/** The field's text; `""` after saying that it is missing. `code` names the sentence. */
export function requireText(input, code, say) {
  const text = input.value.trim();
  setFieldError(input, text ? null : `error.${code}`);
  if (!text) {
    say?.({ code });
    input.focus();
  }
  return text;
}

/** What the deployment and the browser offer. */
export function drawOffers() {
  const { mail, passwordFallback, identifier } = state.features;
  fill(byId("signin-username-label"), identifier === "email" ? "field.email" : "field.username");
  byId("signin-use-password").hidden = !passwordFallback;
  byId("show-recover").hidden = !mail;
  byId("signin-ways").hidden = !mail && !passwordFallback;
  explainCapabilities(state.capabilities);
}

/** Says what the browser lacks. Passkeys stay on offer wherever WebAuthn is: there are security keys and phones. */
function explainCapabilities({ webauthn, secureContext, platformAuthenticator, conditionalGet }) {
  let kind = "";
  if (!webauthn) kind = secureContext ? "no-webauthn" : "insecure";
  else if (!platformAuthenticator) kind = "no-platform";
  const notice = byId("capability-notice");
  notice.dataset.kind = kind;
  notice.hidden = kind === "";
  if (kind) fill(byId("capability-text"), `capability.${kind}`);
  if (kind === "no-platform") fill(byId("register-guidance"), "register.guidance_key");
  byId("signin-username-hint").hidden = !conditionalGet;
}

function setFieldErrorIfAny(input) {
  if (byId(`${input.id}-error`)) setFieldError(input, null);
}

for (const input of byId("signed-out").querySelectorAll("input")) {
  input.addEventListener("input", () => setFieldErrorIfAny(input));
}

for (const back of document.querySelectorAll('[data-panel="signin"]')) {
  back.addEventListener("click", () => {
    clearStatus();
    showPanel("signin", { focus: "signin-username" });
  });
}
