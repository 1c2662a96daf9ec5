/**
 * The page's drawing: texts, dates and list rows. Knows the markup of `index.html`, and nothing of the API calls.
 *
 * @module view
 */

/** The element with this id; every id asked for is in `index.html`. */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Shows one sentence in the live region.
 *
 * @param {{ text: string, code: string, kind: "info" | "success" | "hint" | "error" }} message
 */
export function showStatus({ text, code, kind }) {
  const bar = byId("status-bar");
  const status = byId("status");
  bar.dataset.kind = kind;
  bar.classList.remove("is-empty");
  status.textContent = text;
  status.dataset.code = code;
}

/** Empties the live region. */
export function clearStatus() {
  byId("status-bar").classList.add("is-empty");
  const status = byId("status");
  status.textContent = "";
  status.dataset.code = "";
}

/** Puts `text` into every element marked `data-text="name"`. */
export function fillText(name, text) {
  for (const element of document.querySelectorAll(`[data-text="${name}"]`)) element.textContent = text;
}

/** Marks a button as working, or not. It keeps the focus, unlike a disabled one. */
export function setBusy(button, busy) {
  button.setAttribute("aria-busy", String(busy));
  button.setAttribute("aria-disabled", String(busy));
}

/** Shows or removes the message under a field. */
export function setFieldError(input, text) {
  const error = byId(`${input.id}-error`);
  error.textContent = text ?? "";
  error.hidden = !text;
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

/** A date for a person, in a `<time>` element; `fallback` where there is none. */
export function time(value, fallback = "never") {
  const date = toDate(value);
  if (!date) return document.createTextNode(fallback);
  const element = document.createElement("time");
  element.dateTime = date.toISOString();
  element.title = date.toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" });
  element.textContent = relative(date);
  return element;
}

/** RFC 3339 text, or seconds since the epoch. */
export function toDate(value) {
  if (value === null || value === undefined || value === "") return null;
  const date = new Date(typeof value === "number" ? value * 1000 : value);
  return Number.isNaN(date.getTime()) ? null : date;
}

function relative(date, now = new Date()) {
  const seconds = Math.round((date - now) / 1000);
  const format = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  const size = Math.abs(seconds);
  if (size < 45) return seconds <= 0 ? "just now" : "in a moment";
  if (size < 45 * 60) return format.format(Math.round(seconds / 60), "minute");
  if (size < 22 * 3600) return format.format(Math.round(seconds / 3600), "hour");
  if (size < 7 * 86400) return format.format(Math.round(seconds / 86400), "day");
  return date.toLocaleDateString(undefined, { dateStyle: "medium" });
}

/** Writes `[term, value]` pairs into a `<dl>`. A value is text or a node. */
export function fillFacts(list, facts) {
  list.replaceChildren(
    ...facts.map(([term, value]) => {
      const row = document.createElement("div");
      const name = document.createElement("dt");
      const text = document.createElement("dd");
      name.textContent = term;
      text.append(value);
      row.append(name, text);
      return row;
    }),
  );
}

/** The name a passkey goes by. */
export function passkeyName({ deviceName, authenticatorName }) {
  return deviceName || authenticatorName || "Passkey";
}

/** Why a passkey does not sign in, and what its owner can do. */
function switchedOff({ inactiveReason }) {
  if (inactiveReason === "clone_revoked") return "Revoked: it may have been copied. Add it again";
  if (inactiveReason === "clone_suspended") return "Suspended: it may have been copied";
  return "Switched off";
}

/** Where a passkey lives, as a badge: `[kind, text, explanation]`. */
export function syncState({ backupEligible, backedUp }) {
  if (backedUp) return ["synced", "Synced", "Saved with your password manager, and there on your other devices."];
  if (backupEligible) return ["syncable", "Not synced yet", "Can be synced, but is on one device only at the moment."];
  return ["bound", "Device-bound", "Bound to one device or security key. If that is lost, so is this passkey."];
}

/**
 * Draws the passkey list.
 *
 * @param {import("./keyhaven.d.ts").Credential[]} credentials
 * @param {{ onRename: Function, onDelete: Function }} actions each called with the credential
 */
export function drawPasskeys(credentials, { onRename, onDelete }) {
  const rows = credentials.map((credential) => {
    const row = fromTemplate("passkey-template");
    const part = (name) => row.querySelector(`[data-testid="${name}"]`);
    const name = passkeyName(credential);
    row.dataset.credentialId = credential.id;
    part("passkey-name").textContent = name;
    part("passkey-authenticator").textContent =
      credential.authenticatorName || kindOfAuthenticator(credential.transports ?? []);
    const [kind, text, explanation] = syncState(credential);
    const badge = part("passkey-sync");
    badge.dataset.kind = kind;
    badge.title = explanation;
    badge.querySelector("span").textContent = text;
    badge.querySelector("use").setAttribute("href", kind === "synced" ? "#icon-cloud" : "#icon-device");
    const off = part("passkey-suspended");
    off.hidden = credential.active !== false;
    off.textContent = switchedOff(credential);
    part("passkey-created").replaceChildren(time(credential.createdAt));
    part("passkey-last-used").replaceChildren(
      ...(credential.lastUsedAt ? ["Last used ", time(credential.lastUsedAt)] : ["Not used to sign in yet"]),
    );
    part("rename").setAttribute("aria-label", `Rename ${name}`);
    part("delete").setAttribute("aria-label", `Delete ${name}`);
    part("rename").addEventListener("click", () => onRename(credential));
    part("delete").addEventListener("click", () => onDelete(credential));
    return row;
  });
  const list = byId("passkey-list");
  list.replaceChildren(...rows);
  list.setAttribute("aria-busy", "false");
  byId("passkey-empty").hidden = rows.length > 0;
  const spare = credentials.filter(({ active }) => active !== false);
  byId("passkey-single").hidden = spare.length !== 1;
}

/**
 * Draws the session list, this page's first.
 *
 * @param {import("./keyhaven.d.ts").SessionInfo[]} sessions
 * @param {(session: object) => void} onRevoke
 */
export function drawSessions(sessions, onRevoke) {
  const sorted = [...sessions].sort((a, b) => Number(b.current) - Number(a.current));
  const rows = sorted.map((session) => {
    const row = fromTemplate("session-template");
    const part = (name) => row.querySelector(`[data-testid="${name}"]`);
    const name = describeUserAgent(session.userAgent);
    row.dataset.sessionId = session.id;
    const mobile = /iPhone|iPad|Android/.test(name);
    row.querySelector("use").setAttribute("href", mobile ? "#icon-device" : "#icon-computer");
    part("session-name").textContent = name;
    part("session-current").hidden = !session.current;
    part("session-ip").textContent = session.ip ?? "unknown address";
    part("session-seen").replaceChildren(time(session.lastSeenAt ?? session.createdAt));
    const revoke = part("revoke-session");
    revoke.hidden = Boolean(session.current);
    revoke.setAttribute("aria-label", `Sign out ${name}`);
    revoke.addEventListener("click", () => onRevoke(session));
    return row;
  });
  byId("session-list").replaceChildren(...rows);
}

/** “Chrome on Linux”, from a user agent string. A label for people, never a decision. */
export function describeUserAgent(text) {
  const agent = text ?? "";
  const browser = [
    [/\bEdg(?:e|A|iOS)?\//, "Edge"],
    [/\bOPR\//, "Opera"],
    [/\b(?:Firefox|FxiOS)\//, "Firefox"],
    [/\b(?:Headless)?(?:Chrome|CriOS|Chromium)\//, "Chrome"],
    [/\bSafari\//, "Safari"],
  ].find(([pattern]) => pattern.test(agent))?.[1];
  const system = [
    [/\biPhone\b/, "iPhone"],
    [/\biPad\b/, "iPad"],
    [/\bAndroid\b/, "Android"],
    [/\bCrOS\b/, "ChromeOS"],
    [/\bWindows\b/, "Windows"],
    [/\bMac(?:intosh| OS X)\b/, "macOS"],
    [/\bLinux\b/, "Linux"],
  ].find(([pattern]) => pattern.test(agent))?.[1];
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? system ?? "Unknown device";
}

/** What `aal` and `amr` mean. */
export function describeAssurance(aal, amr = []) {
  const level = Number(String(aal).replace(/\D/g, ""));
  const levels = { 1: "AAL1, one factor", 2: "AAL2, two factors", 3: "AAL3, hardware-bound" };
  const methods = {
    bio: "biometric",
    face: "face",
    fpt: "fingerprint",
    hwk: "passkey in proven hardware",
    mfa: "device unlock",
    otp: "one-time code",
    phr: "phishing-resistant",
    phrh: "phishing-resistant hardware",
    pin: "PIN",
    pop: "key possession",
    pwd: "password",
    swk: "passkey",
    user: "presence",
  };
  return {
    level: levels[level] ?? String(aal),
    methods: amr.map((method) => methods[method] ?? method).join(", ") || "not given",
  };
}

function kindOfAuthenticator(transports) {
  if (transports.includes("internal")) return "This device or a password manager";
  if (transports.includes("hybrid")) return "Phone or tablet";
  if (transports.length > 0) return "Security key";
  return "Unknown authenticator";
}

function fromTemplate(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}
