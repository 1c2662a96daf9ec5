/**
 * What mailed links lead to. Their tokens stand behind `#`, where no server and no other site sees them; they are taken
 * out of the address before anything else is done, and kept in memory alone.
 *
 * @module pages/links
 */

import { keyhaven, run, state, succeed, tell } from "../context.js";
import { button, el } from "../ui.js";
import { showTask } from "./task.js";

const KINDS = ["verify-email", "cancel-recovery", "register", "enrolment"];

/**
 * Takes the token out of the address, the history included.
 *
 * @returns {{ kind: string, token: string } | null}
 */
export function takeLink() {
  const [kind, token] = location.hash.slice(1).split(/=(.*)/s);
  if (!KINDS.includes(kind) || !token) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return { kind, token };
}

/** Asks whether to cancel: a page that is merely opened, by a mail scanner too, cancels nothing. */
export function showCancelRecovery(token) {
  const cancel = (element) =>
    run(element, null, async () => {
      try {
        await keyhaven.cancelRecovery(token);
      } catch (error) {
        if (error.code !== "not_found") throw error;
        throw Object.assign(error, { code: "link_dead" });
      }
      tell("task-done", "recovery_cancelled");
    });
  showTask(
    "cancel",
    "cancel.title",
    el("p", { class: "card-text", t: "cancel.text" }),
    el(
      "div",
      { class: "actions" },
      button({ id: "cancel-leave", t: "cancel.leave", on: () => tell("task-done") }),
      button({ id: "cancel-confirm", t: "cancel.confirm", kind: "danger", on: cancel }),
    ),
  );
}

/** Asks whether to use an enrolment link up: it works once. */
export function showEnrolment(token) {
  const redeem = (element) =>
    run(element, null, async () => {
      try {
        tell("signed-in", await keyhaven.redeemEnrolment(token));
      } catch (error) {
        if (error.code !== "authentication_failed" && error.code !== "not_found") throw error;
        throw Object.assign(error, { code: "enrolment_dead" });
      }
    });
  showTask(
    "enrolment",
    "enrolment.title",
    el("p", { class: "card-text", t: "enrolment.text" }),
    el(
      "div",
      { class: "actions" },
      button({ id: "enrolment-leave", t: "recovered.leave", on: () => tell("task-done") }),
      button({ id: "enrolment-go", t: "action.continue", kind: "primary", on: redeem }),
    ),
  );
}

/**
 * Proves the address with the token at hand, for the account that is signed in. Where it is not that account's link, says
 * so, and keeps the token for who signs in next.
 */
export async function proveAddress() {
  const token = state.emailToken;
  try {
    const user = await keyhaven.verifyEmail(token);
    state.emailToken = null;
    tell("user", user);
    succeed("email_verified", { email: user.email });
    return true;
  } catch (error) {
    if (error.code !== "not_found") throw error;
    showWrongAccount();
    return false;
  }
}

function showWrongAccount() {
  const { user } = state.current;
  const forget = () => {
    state.emailToken = null;
    tell("task-done");
  };
  const other = (element) =>
    run(element, null, async () => {
      await keyhaven.signOut();
      tell("signed-out");
    });
  const again = (element) =>
    run(element, null, async () => {
      await keyhaven.resendEmail();
      state.emailToken = null;
      tell("task-done", "email_sent");
    });
  showTask(
    "link",
    "link.title",
    el("p", { class: "card-text", t: ["link.text", { name: user.username }] }),
    el(
      "div",
      { class: "actions" },
      button({ id: "link-leave", t: "link.leave", on: forget }),
      button({ id: "link-other", t: "link.other", kind: "secondary", on: other }),
      user.email && !user.emailVerified && button({ id: "link-again", t: "email.resend", kind: "primary", on: again }),
    ),
  );
}
