/**
 * What the page's parts share: the client, what is known, how a flow is run, and how they tell each other.
 *
 * Parts call the API and dispatch events; `app.js` listens and decides what is shown.
 *
 * @module context
 */

import { fill, known, language } from "./i18n.js";
import { Keyhaven, KeyhavenError } from "./keyhaven.js";
import { HINTS } from "./messages.js";
import { clearStatus, el, setBusy, showStatus } from "./ui.js";

/** The API's base path. */
export const base = document.querySelector('meta[name="keyhaven-base"]').content;

export const keyhaven = new Keyhaven({ baseUrl: base, language });

export const state = {
  /** One flow at a time: a second click while a prompt is open does nothing. */
  busy: false,
  /** @type {import("./keyhaven.d.ts").SessionState | null} who is signed in */
  current: null,
  /** @type {import("./keyhaven.d.ts").Features} */
  features: { mail: false, passwordFallback: false, passwordWithPasskey: "off", clientKey: "off", identifier: "username" },
  /** @type {import("./keyhaven.d.ts").Capabilities | null} */
  capabilities: null,
  /** The token of a mailed link that proves an address, until it has been used. Kept nowhere else. */
  emailToken: null,
  /** The code of a mailed link that makes an account, likewise. */
  registrationCode: null,
  /** After a recovery: the id of the passkey that is known to be the owner's. */
  review: null,
};

const hub = new EventTarget();

/**
 * Tells the page that something happened: `signed-in` (the answer of a sign-in, and `message`), `signed-out`,
 * `session-ended`, `user` (another state of the account), `task-done`.
 */
export function tell(event, detail) {
  hub.dispatchEvent(new CustomEvent(event, { detail }));
}

/** Calls back with the detail of each such event. */
export function listen(event, callback) {
  hub.addEventListener(event, ({ detail }) => callback(detail));
}

/** Says that something went well. */
export function succeed(code, params = {}) {
  showStatus({ t: [`done.${code}`, params], code, kind: "success" });
}

/** Says what went wrong. */
export function report(error) {
  if (!(error instanceof KeyhavenError)) console.error(error);
  if (state.current && (error.code === "unauthenticated" || error.code === "session_expired")) {
    return tell("session-ended", "session_expired");
  }
  const code = error.code ?? "unknown";
  showStatus({ t: sentence(error), code, kind: HINTS.has(code) ? "hint" : "error" });
}

/**
 * The text for an error of `keyhaven.js`, or of anything else.
 *
 * @param {{ code?: string, detail?: string, retryAfter?: number }} error
 * @returns {[string, object]}
 */
export function sentence(error) {
  const key = `error.${error?.code}`;
  if (error?.code === "rate_limited") return [key, { wait: waitText(error.retryAfter) }];
  if (error?.code === "register_code_used") return [key, { why: el("span", { t: sentence(error.cause) }) }];
  // What the server says of it is English.
  const detail = el("span", { lang: "en" }, capitalised(error?.detail ?? ""));
  if (error?.code === "invalid_request") return [key, { detail }];
  return known(key) ? [key, {}] : ["error.unknown", { detail }];
}

function waitText(seconds) {
  const element = el("span");
  if (!(seconds > 0)) return fill(element, "wait.moment");
  if (seconds < 90) return fill(element, "wait.seconds", { count: Math.ceil(seconds) });
  if (seconds < 5400) return fill(element, "wait.minutes", { count: Math.ceil(seconds / 60) });
  return fill(element, "wait.hours", { count: Math.ceil(seconds / 3600) });
}

/**
 * Runs one flow from one button: marks it busy, says what is going on, reports what goes wrong. Answers what the flow
 * does, or `undefined`.
 *
 * @template Result
 * @param {HTMLElement | null} element the button
 * @param {string | null} prompt the key of what the person is to do meanwhile
 * @param {() => Promise<Result>} flow
 * @returns {Promise<Result | undefined>}
 */
export async function run(element, prompt, flow) {
  if (state.busy) return undefined;
  state.busy = true;
  if (element) setBusy(element, true);
  if (prompt) showStatus({ t: prompt, code: "prompt", kind: "info" });
  else clearStatus();
  try {
    return await flow();
  } catch (error) {
    report(error);
    return undefined;
  } finally {
    state.busy = false;
    if (element) setBusy(element, false);
  }
}

function capitalised(text) {
  if (!text) return "";
  const end = /[.!?]$/.test(text) ? "" : ".";
  return text.charAt(0).toUpperCase() + text.slice(1) + end;
}
