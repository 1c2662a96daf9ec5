/**
 * Recovering an account: the address, the mailed code, a recovery code or the wait, and then a new passkey.
 *
 * The recovery's id is kept while it is under way, so that who comes back after the wait finds it again. It is worth
 * nothing without the cookie of this browser.
 *
 * @module pages/recover
 */

import { keyhaven, report, run, sentence, state, succeed, tell } from "../context.js";
import { fill, time, toDate } from "../i18n.js";
import { keep, recall } from "../kept.js";
import { button, byId, clearStatus, el, setFieldError } from "../ui.js";
import { requireText, showPanel } from "./desk.js";
import { showTask } from "./task.js";

const KEPT = "keyhaven-recovery";

let id = null;
let readyTimer = 0;

function remember(next) {
  id = next;
  keep(KEPT, next);
}

function showStep(step) {
  clearTimeout(readyTimer);
  byId("recover-email-form").hidden = step !== "email";
  byId("recover-code-form").hidden = step !== "code";
  byId("recover-waiting").hidden = step !== "waiting" && step !== "ready";
  byId("recover-restart").hidden = step === "email";
}

/** Shows the panel, where a recovery is under way at the step it is at. */
async function open() {
  clearStatus();
  showStep("email");
  showPanel("recover", { focus: "recover-title" });
  if (await takeUpWhere()) return;
  byId("recover-email").focus();
}

/** Shows how the recovery stands that this browser asked for, where there is one. Tells whether there is. */
async function takeUpWhere() {
  id ??= recall(KEPT);
  if (!id) return false;
  try {
    const { state: stage, readyAt } = await keyhaven.recovery(id);
    if (stage === "pending") return step("code", "recover-code");
    if (stage === "waiting") return waiting(readyAt);
    if (stage === "ready") return ready();
  } catch (error) {
    if (error.code !== "not_found") {
      report(error); // it may still be there, and is asked for again next time
      return false;
    }
  }
  remember(null);
  return false;
}

function step(name, focus) {
  showStep(name);
  byId(focus).focus();
  return true;
}

function waiting(readyAt) {
  showStep("waiting");
  byId("recover-take-up").hidden = true;
  byId("recover-spare-form").hidden = false;
  fill(byId("recover-wait-text"), "recover.waiting", { when: time(readyAt, "exact") });
  byId("recover-title").focus();
  const left = (toDate(readyAt) ?? new Date()) - Date.now();
  readyTimer = setTimeout(ready, Math.min(Math.max(left, 0) + 500, 2 ** 31 - 1));
  return true;
}

function ready() {
  showStep("ready");
  fill(byId("recover-wait-text"), "recover.ready");
  byId("recover-spare-form").hidden = true;
  byId("recover-take-up").hidden = false;
  return true;
}

/** @param {import("../keyhaven.d.ts").Recovery} recovery */
function proceed(recovery) {
  if (recovery.state === "waiting") return waiting(recovery.readyAt);
  remember(null);
  tell("signed-in", recovery);
}

byId("show-recover").addEventListener("click", open);

byId("recover-restart").addEventListener("click", () => {
  clearStatus();
  remember(null);
  step("email", "recover-email");
});

byId("recover-email-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const email = requireText(byId("recover-email"), "email_missing", report);
  if (!email) return;
  run(byId("recover-email-button"), null, async () => {
    remember(await keyhaven.requestRecovery(email));
    byId("recover-code-form").reset();
    step("code", "recover-code");
    succeed("code_sent");
  });
});

byId("recover-code-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("recover-code");
  const code = requireText(input, "code_missing", report).replaceAll(/\s/g, "");
  if (!code) return;
  tryCode(byId("recover-code-button"), input, "recover_code_wrong", () => keyhaven.verifyRecovery(id, code));
});

byId("recover-spare-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("recover-spare");
  const code = requireText(input, "code_missing", report);
  if (!code) return;
  tryCode(byId("recover-spare-button"), input, "recover_spare_wrong", () => keyhaven.verifyRecoveryCode(id, code));
});

byId("recover-take-up").addEventListener("click", ({ currentTarget }) => {
  run(currentTarget, null, async () => proceed(await keyhaven.verifyRecovery(id)));
});

/** Every failure is one code: said here is what it means for what was typed. */
function tryCode(element, input, wrong, call) {
  return run(element, null, async () => {
    try {
      proceed(await call());
    } catch (error) {
      if (error.code !== "authentication_failed") throw error;
      const told = Object.assign(error, { code: wrong });
      setFieldError(input, sentence(told));
      input.select();
      throw told;
    }
  });
}

// ── The recovery session ────────────────────────────────────────────────────────────────────────────────────────────

/** Whether this session can only add a passkey. */
export function isRecovery({ session }) {
  return session.amr.includes("recovery");
}

/** Asks for the new passkey that ends a recovery. */
export function showRecovered() {
  const add = (element) =>
    run(element, "prompt.create", async () => {
      const result = await keyhaven.addPasskey();
      state.review = result.credential.id;
      tell("signed-in", { ...result, message: "recovered" });
    });
  const leave = (element) =>
    run(element, null, async () => {
      await keyhaven.signOut();
      tell("signed-out", "signed_out");
    });
  showTask(
    "recovered",
    ["recovered.title", { name: state.current.user.displayName || state.current.user.username }],
    el("p", { class: "card-text", t: "recovered.text" }),
    el(
      "ol",
      { class: "steps" },
      el("li", { t: "recovered.step_passkey" }),
      el("li", { t: "recovered.step_signed_out" }),
      el("li", { t: "recovered.step_review" }),
    ),
    el(
      "div",
      { class: "actions" },
      button({ id: "recovered-leave", t: "recovered.leave", on: leave }),
      button({ id: "recovered-add", t: "recovered.add", kind: "primary", icon: "passkey", on: add }),
    ),
  );
}

