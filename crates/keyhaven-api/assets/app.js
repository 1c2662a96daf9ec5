/**
 * The page: what is shown, and when. The parts are in `pages/`; they tell what happened (`context.js`), and here it is
 * decided what follows.
 *
 * `document.documentElement.dataset.state` is `loading`, `signed-out`, `signed-in` or `task`, set when the view is
 * complete; `dataset.task` names the task, `dataset.autofill` is `on` while the browser has been asked to offer passkeys
 * in the name field. `#status` is the live region; its `data-code` holds the code of what it says. All talk with the
 * server goes through `keyhaven.js`; all sentences are in `messages.js`.
 *
 * @module app
 */

import { keyhaven, listen, report, run, state, succeed, tell } from "./context.js";
import { choose, fill, otherLanguage, toDate, translate } from "./i18n.js";
import { NAMES } from "./messages.js";
import { accountCard, confirmNotice, dataCard, drawAccount, emailCard } from "./pages/account.js";
import { administers, closeAdmin, drawAdmin } from "./pages/admin.js";
import { drawOffers, resetDesk } from "./pages/desk.js";
import { eventsCard, loadEvents } from "./pages/events.js";
import { proveAddress, showCancelRecovery, showEnrolment, takeLink } from "./pages/links.js";
import { showOffer, showOfferHere, wantsOneHere } from "./pages/offer.js";
import { loadPasskeys, passkeysCard } from "./pages/passkeys.js";
import { loadProtections, protectionCards, recoveryNotice, showClientKey } from "./pages/protections.js";
import { isRecovery, showRecovered } from "./pages/recover.js";
import { resetRegistration, showMailedCode } from "./pages/register.js";
import { drawSession, greet, loadSessions, sessionCard, sessionsCard } from "./pages/sessions.js";
import { resetSignIn, startAutofill, stopAutofill } from "./pages/sign-in.js";
import { closeTask, inTask } from "./pages/task.js";
import { byId, clearStatus, closeDialogs, el, showStatus } from "./ui.js";

/** Longest wait of `setTimeout`. */
const MAX_TIMEOUT = 2 ** 31 - 1;

let expiryTimer = 0;

// ── Views ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function setState(name) {
  document.documentElement.dataset.state = name;
}

function showView(id) {
  closeTask();
  for (const other of ["loading", "signed-out", "signed-in"]) byId(other).hidden = other !== id;
  byId("sign-out").hidden = id !== "signed-in";
}

function setTitle(key) {
  fill(document.querySelector("title"), key);
}

/** @param {{ focus?: boolean, waitForFocus?: boolean }} [options] `waitForFocus`: see `startAutofill` */
function showSignedOut({ focus = false, waitForFocus = false } = {}) {
  state.current = null;
  forgetAccount();
  resetSignIn();
  resetRegistration();
  resetDesk();
  showView("signed-out");
  setTitle("title.signed_out");
  if (focus) byId("welcome-title").focus();
  startAutofill({ waitForFocus });
  setState("signed-out");
}

/** Nothing of the account stays in the page. */
function forgetAccount() {
  state.review = null;
  closeAdmin();
  clearTimeout(expiryTimer);
  closeDialogs();
  for (const section of document.querySelectorAll("[data-section-body]")) section.replaceChildren();
  byId("greeting").replaceChildren();
}

/** Shows the account of `state.current`. */
async function showSignedIn({ focus = false } = {}) {
  stopAutofill();
  drawSections();
  showSection();
  greet();
  drawAccount();
  drawSession(state.current.session);
  showView("signed-in");
  setTitle("title.signed_in");
  if (focus) byId("greeting").focus();
  watchExpiry(state.current.session);
  await Promise.all([loadPasskeys(), loadSessions(), loadProtections(), loadEvents()]);
  if (state.current && !inTask()) setState("signed-in");
}

function drawSections() {
  const main = (...children) => el("div", { class: "column-main" }, ...children);
  const side = (...children) => el("div", { class: "column-side" }, ...children);
  byId("section-security").replaceChildren(
    main(recoveryNotice(), confirmNotice(), passkeysCard(), sessionsCard(), eventsCard()),
    side(...protectionCards(), sessionCard()),
  );
  byId("section-account").replaceChildren(main(...[state.features.mail && emailCard(), dataCard()].filter(Boolean)), side(accountCard()));
}

/** Shows the section that the address names. */
function showSection({ focus = false } = {}) {
  const named = location.hash.slice(1).split("/")[0];
  const sections = [...document.querySelectorAll("[data-section-body]")];
  byId("admin-tab").hidden = !administers();
  const allowed = named !== "admin" || administers();
  const chosen = (allowed && sections.find((one) => one.dataset.sectionBody === named)) || sections[0];
  for (const section of sections) section.hidden = section !== chosen;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.section === chosen.dataset.sectionBody) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (chosen.dataset.sectionBody === "admin") drawAdmin();
  if (focus) chosen.querySelector("h2")?.focus();
}

// ── Sessions that come and go ───────────────────────────────────────────────────────────────────────────────────────

/** Leaves the signed-in view when its session ends by itself. */
function watchExpiry({ expiresAt }) {
  clearTimeout(expiryTimer);
  const end = toDate(expiresAt);
  if (!end) return;
  const wait = Math.min(Math.max(end - Date.now(), 0) + 1_000, MAX_TIMEOUT);
  expiryTimer = setTimeout(recheck, wait);
}

/** Another tab may have signed in or out, and sessions end: asks again who is signed in. */
async function recheck() {
  if (state.busy || !byId("loading").hidden || inTask()) return;
  const before = state.current;
  try {
    const current = await keyhaven.session();
    // What happened in this tab meanwhile is newer than the answer.
    if (state.busy || inTask() || state.current !== before) return;
    if (current && !before) await enter(current);
    else if (!current && before) sessionEnded("session_expired");
    else if (current && isAnother(current, before)) {
      forgetAccount();
      await enter(current);
    } else if (current) {
      state.current = current;
      drawSession(current.session);
      watchExpiry(current.session);
      loadProtections({ silently: true });
    }
  } catch {
    // Out of reach for the moment; the next action says so.
  }
}

/** Whether a session is of another account than the one before, or can only recover it. */
function isAnother(current, before) {
  return current.user.id !== before.user.id || (isRecovery(current) && !isRecovery(before));
}

/**
 * What follows a sign-in.
 *
 * @param {import("./keyhaven.d.ts").SessionState & { message?: string, offerPasskey?: boolean, crossDevice?: boolean, clientKey?: string }} result
 */
async function enter(result) {
  state.current = { user: result.user, session: result.session };
  stopAutofill();
  clearStatus();
  // Before anything that may fail: nobody can show it again.
  const kept = result.clientKey ? showClientKey(result.clientKey) : null;
  if (isRecovery(result)) return showRecovered();
  if (result.offerPasskey) return showOffer();
  if (result.crossDevice && wantsOneHere()) return showOfferHere();
  await showSignedIn({ focus: true });
  if (kept) {
    await kept;
    byId("greeting").focus();
  }
  if (!state.current) return;
  if (state.emailToken) return prove();
  if (result.message && state.current) succeed(result.message);
}

/** With the token of a mailed link at hand, and signed in. */
async function prove() {
  try {
    await proveAddress();
  } catch (error) {
    report(error);
  }
}

function sessionEnded(code) {
  showSignedOut({ focus: true, waitForFocus: true });
  showStatus({ t: `error.${code}`, code, kind: "hint" });
}

listen("signed-in", (result) => enter(result));

listen("signed-out", (message) => {
  showSignedOut({ focus: true, waitForFocus: true });
  if (message) succeed(message);
});

listen("session-ended", sessionEnded);

listen("sessions-changed", () => Promise.all([loadSessions(), loadEvents()]));

listen("session", (session) => {
  if (!state.current) return; // signed out meanwhile
  state.current = { ...state.current, session };
  drawSession(session);
  watchExpiry(session);
  loadEvents();
});

listen("user", (user) => {
  if (!state.current) return; // signed out meanwhile
  state.current = { ...state.current, user };
  greet();
  drawAccount();
});

listen("task-done", async (message) => {
  if (state.current) await showSignedIn({ focus: true });
  else await find();
  if (message) succeed(message);
  // The link that somebody signed in for still waits behind what was offered to them.
  else if (state.current && state.emailToken) await prove();
});

byId("sign-out").addEventListener("click", ({ currentTarget }) => {
  run(currentTarget, null, async () => {
    await keyhaven.signOut();
    tell("signed-out", "signed_out");
  });
});

// ── Start ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Follows a mailed link, where there is one. Tells whether it has taken the page. */
function follow(link) {
  if (link?.kind === "cancel-recovery") {
    clearStatus();
    showCancelRecovery(link.token);
    return true;
  }
  if (link?.kind === "enrolment") {
    clearStatus();
    showEnrolment(link.token);
    return true;
  }
  if (link?.kind === "verify-email") state.emailToken = link.token;
  if (link?.kind === "register") state.registrationCode = link.token;
  return false;
}

/** Asks who is signed in, and shows that. */
async function find() {
  let current = null;
  try {
    current = await keyhaven.session();
  } catch (error) {
    report(error);
  }
  state.current = current;
  if (!current) {
    showSignedOut();
    goOnRegistering();
    return;
  }
  if (isRecovery(current)) return showRecovered();
  await showSignedIn();
  if (state.emailToken && state.current) await prove();
}

/** With the code of a mailed link at hand, and nobody signed in. */
function goOnRegistering() {
  if (state.registrationCode) showMailedCode(state.registrationCode);
  state.registrationCode = null;
}

window.addEventListener("hashchange", () => {
  const link = takeLink();
  if (follow(link)) return;
  if (link?.kind === "register") {
    if (!state.current) goOnRegistering();
  } else if (link && state.current && !isRecovery(state.current)) prove();
  else if (link) byId("link-notice").hidden = false;
  else if (state.current && document.querySelector(`[data-section="${CSS.escape(location.hash.slice(1).split("/")[0])}"]`)) {
    clearStatus();
    showSection({ focus: true });
  }
});

byId("status-dismiss").addEventListener("click", () => {
  clearStatus();
  byId("main").focus();
});

byId("language").addEventListener("click", () => {
  choose(otherLanguage());
  drawLanguage();
});

/** The switch says the other language's name, in that language. */
function drawLanguage() {
  byId("language").lang = otherLanguage();
  byId("language").textContent = NAMES[otherLanguage()];
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") recheck();
});

async function start() {
  const link = takeLink();
  translate();
  drawLanguage();
  byId("domain").textContent = location.hostname;
  keyhaven
    .version()
    .then(({ name, version }) => {
      byId("version").textContent = `${name.charAt(0).toUpperCase()}${name.slice(1)} ${version}`;
    })
    .catch(() => undefined);
  state.capabilities = await keyhaven.capabilities();
  try {
    state.features = await keyhaven.features();
  } catch (error) {
    report(error);
  }
  drawOffers();
  if (!follow(link)) await find();
}

start();
