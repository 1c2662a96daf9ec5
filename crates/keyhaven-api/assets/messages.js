/**
 * What the page says to a person, by code. Codes of the server first, then those made in the browser.
 *
 * A sentence says what happened and what to do next, and blames nobody. To translate the page, translate this file.
 *
 * @module messages
 */

const START_AGAIN = "Please start again.";
const TRY_ANOTHER = "Try another passkey, or start again.";

/** @type {Record<string, string>} */
export const MESSAGES = {
  // 400
  invalid_request: "Something in the form needs another look.",
  malformed_response: `The answer of your authenticator could not be read. ${TRY_ANOTHER}`,
  challenge_missing: `That took too long, or the request was already used. ${START_AGAIN}`,
  challenge_mismatch: `That answer belongs to an older request. ${START_AGAIN}`,
  ceremony_type_mismatch: `That answer belongs to another kind of request. ${START_AGAIN}`,
  origin_mismatch:
    "This passkey was used on a different address. Check the address bar: you may not be where you think you are.",
  cross_origin_not_allowed: "Passkeys cannot be used from inside another site’s page. Open this site in its own tab.",
  top_origin_not_allowed: "The page around this one may not ask for your passkey. Open this site in its own tab.",
  rp_id_mismatch: "This passkey belongs to another domain. Check the address bar, and pick a passkey of this site.",
  user_presence_missing:
    "Your authenticator did not confirm that you were there. Try again, and touch it when it asks.",
  user_verification_missing:
    "Your authenticator did not check that it was you. Try again with your fingerprint, your face or your PIN.",
  backup_flags_invalid: `Your authenticator contradicts itself about whether the passkey is synced. ${TRY_ANOTHER}`,
  backup_eligibility_changed: `This passkey no longer behaves as it did when it was made. ${TRY_ANOTHER}`,
  credential_not_allowed: "That passkey belongs to another account. Pick one of the account you named.",
  algorithm_not_allowed: "Your authenticator used a kind of key that is not accepted here. Try another one.",
  unsupported_algorithm: "Your authenticator used a kind of key that is not known here. Try another one.",
  unsupported_format: "Your authenticator introduced itself in a way that is not known here. Try another one.",
  public_key_invalid: "Your authenticator made a key that cannot be used. Try again, or use another one.",
  attestation_invalid: "Your authenticator could not prove what it is. Try again, or use another one.",
  attestation_untrusted: "This kind of authenticator is not accepted here. Ask which ones are.",
  extension_not_allowed: `Your browser added something that was not asked for. ${START_AGAIN}`,
  email_required: "An e-mail address is needed for this.",
  no_passkeys: "This account has no passkey yet. Sign in another way, then add one.",
  user_not_found: "There is no account of that name. Check the spelling, or create an account.",

  // 401
  unauthenticated: "You are not signed in.",
  session_expired: "Your session has ended. Please sign in again.",
  authentication_failed: "That did not sign you in. Check the user name, or try another passkey.",
  signature_invalid: `The passkey’s signature is not valid. ${TRY_ANOTHER}`,
  user_handle_mismatch: "That passkey belongs to another account. Check the user name, or try another passkey.",
  user_handle_missing: "This key does not say whose it is. Enter your user name, then sign in.",
  credential_not_found:
    "This passkey is no longer known here; it was probably deleted. Use another one, or create an account.",
  credential_revoked: "This passkey was switched off. Use another one.",
  counter_regression:
    "This passkey may have been copied, so it was not accepted. Sign in with another one and delete this one.",
  password_required: "Your password is needed as well.",
  client_key_mismatch: "The client key is not right.",

  // 403
  forbidden: "You are not allowed to do that.",
  origin_not_allowed: "This address may not be used to sign in. Check the address bar.",
  step_up_required: "Please confirm with your passkey that it is you.",
  account_locked: "This account is locked. Ask whoever runs this service for help.",

  // 404, 405, 409
  not_found: "That is no longer there.",
  method_not_allowed: "The server does not offer that. Reload the page and try again.",
  username_taken: "That user name is taken. Choose another one.",
  credential_exists: "This passkey is already registered.",
  last_credential: "This is your only way in, so it stays. Add another passkey first.",

  // 413, 415, 429, 503
  payload_too_large: "That was more than the server takes in one go.",
  unsupported_media_type: "The server did not understand this page. Reload it and try again.",
  rate_limited: "Too many attempts.",
  storage_unavailable: "The server cannot reach its data right now. Nothing is lost; try again in a moment.",
  busy: "The server is very busy right now. Try again in a moment.",

  // 500
  internal_error: "Something went wrong on the server. Try again in a moment.",

  // Made in the browser
  already_registered: "You already have a passkey for this account on this device.",
  cancelled: "No passkey was used. You can try again whenever you like.",
  http_error: "The server could not answer that. Try again in a moment.",
  invalid_answer: "The server’s answer could not be read. Reload the page and try again.",
  network_error: "The server cannot be reached. Check your connection and try again.",
  not_supported: "This authenticator cannot make the kind of passkey that is needed here. Try another one.",
  prompt_busy: "A passkey prompt is already open. Finish or close it first.",
  prompt_failed: "Your browser could not show its passkey prompt. Try again, or use another browser.",
  security_error: "Passkeys cannot be used at this address. Check that you are on the right domain.",
  signed_in_meanwhile: "You are signed in with the passkey you picked from the list. No new account was made.",
  webauthn_unsupported: "This browser cannot use passkeys. Open this page in a current browser, over https.",
  username_required: "Enter your user name first.",
  name_required: "Enter a name first.",
};

/** Codes that are no failure: the person changed their mind, or must do one thing more. */
const HINTS = new Set([
  "already_registered",
  "cancelled",
  "prompt_busy",
  "signed_in_meanwhile",
  "step_up_required",
  "unauthenticated",
]);

/**
 * The sentence for an error of `keyhaven.js`, or of anything else.
 *
 * @param {{ code?: string, detail?: string, retryAfter?: number }} error
 * @returns {string}
 */
export function sentenceFor(error) {
  const sentence = MESSAGES[error?.code] ?? error?.detail ?? "Something went wrong. Reload the page and try again.";
  if (error?.code === "invalid_request" && error.detail) return `${sentence} ${capitalised(error.detail)}`;
  if (error?.code === "rate_limited") return `${sentence} ${waitText(error.retryAfter)}`;
  return sentence;
}

/**
 * How the sentence is shown.
 *
 * @param {{ code?: string }} error
 * @returns {"hint" | "error"}
 */
export function kindOf(error) {
  return HINTS.has(error?.code) ? "hint" : "error";
}

function waitText(seconds) {
  if (!(seconds > 0)) return "Wait a moment, then try again.";
  if (seconds < 90) return `Try again in ${Math.ceil(seconds)} ${Math.ceil(seconds) === 1 ? "second" : "seconds"}.`;
  return `Try again in ${Math.ceil(seconds / 60)} minutes.`;
}

function capitalised(text) {
  const end = /[.!?]$/.test(text) ? "" : ".";
  return text.charAt(0).toUpperCase() + text.slice(1) + end;
}
