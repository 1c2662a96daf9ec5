/**
 * The account itself: its names and its e-mail address, its data, its end.
 *
 * @module pages/account
 */

import { keyhaven, run, state, succeed, tell } from "../context.js";
import { fill } from "../i18n.js";
import { ask, button, byId, card, el, facts, save } from "../ui.js";

/** The card of the account's names. */
export function accountCard() {
  return card(
    "account",
    "account.title",
    {},
    el("div", { id: "account-facts" }),
    el("p", { class: "card-foot" }, button({ id: "change-name", t: "account.change_name", kind: "secondary", on: changeName })),
  );
}

/** The card of its address. */
export function emailCard() {
  return card(
    "email",
    "email.title",
    {},
    el("p", { class: "card-text", t: "email.text" }),
    el("p", { id: "email-state", class: "state" }),
    el("p", { id: "email-pending", class: "notice inline", t: "email.pending", hidden: true }),
    el(
      "p",
      { class: "card-foot" },
      button({ id: "email-resend", t: "email.resend", kind: "secondary", on: resend, hidden: true }),
      button({ id: "email-change", t: "email.change", kind: "secondary", on: changeEmail }),
    ),
  );
}

/** The card of what is held, and of leaving. */
export function dataCard() {
  return card(
    "data",
    "data.title",
    {},
    el("p", { class: "card-text", t: "data.text" }),
    el(
      "p",
      { class: "card-foot" },
      button({ id: "export", t: "data.export", kind: "secondary", on: exportAll }),
      button({ id: "delete-account", t: "data.delete", kind: "secondary danger-text", on: deleteAccount }),
    ),
  );
}

/** Says what is known of the account. */
export function drawAccount() {
  const { user } = state.current;
  const id = el("code", {}, user.id);
  const named = state.features.identifier === "email" ? "field.email" : "field.username";
  byId("account-facts")?.replaceChildren(
    facts([
      [named, user.username],
      ["field.displayname", el("span", { id: "display-name" }, user.displayName)],
      ["account.id", id],
    ]),
  );
  if (byId("email-state")) {
    const address = el("strong", { id: "email-address" }, user.email ?? "");
    const known = user.emailVerified ? "email.verified" : "email.unverified";
    fill(byId("email-state"), user.email ? known : "email.none", { address });
    byId("email-pending").hidden = !user.email || user.emailVerified;
    byId("email-resend").hidden = !user.email || user.emailVerified;
    fill(byId("email-change").querySelector("span"), user.email ? "email.change" : "email.add");
  }
  drawConfirm(user);
}

/** Above everything, until the address is proven: where the mail went, and that it must be answered. */
function drawConfirm(user) {
  const notice = byId("email-confirm");
  if (!notice) return;
  const pending = Boolean(state.features.mail && user.email && !user.emailVerified);
  notice.hidden = !pending;
  if (pending) fill(byId("email-confirm-text"), "email.confirm", { address: el("strong", {}, user.email) });
}

/** The notice that stands above everything while the address is not proven. */
export function confirmNotice() {
  return el(
    "div",
    { id: "email-confirm", class: "notice", data: { kind: "mail" }, hidden: true },
    el("p", { id: "email-confirm-text" }),
    el("div", { class: "notice-actions" }, button({ id: "email-confirm-resend", t: "email.resend", kind: "secondary", on: resend })),
  );
}

async function changeName(element) {
  const { user } = state.current;
  const answer = await ask({
    name: "name",
    title: "account.name_title",
    confirm: "action.save",
    fields: [
      {
        name: "input",
        t: "field.displayname",
        value: user.displayName,
        maxlength: 64,
        autocomplete: "name",
        hint: "register.displayname_hint",
        required: "error.name_required",
      },
    ],
  });
  if (!answer) return;
  run(element, null, async () => {
    tell("user", await keyhaven.changeDisplayName(answer.input.trim()));
    succeed("name_changed");
  });
}

function resend(element) {
  return run(element, null, async () => {
    await keyhaven.resendEmail();
    succeed("email_sent");
  });
}

async function changeEmail(element) {
  const answer = await ask({
    name: "email-new",
    title: state.current.user.email ? "email.change_title" : "email.add",
    text: "email.change_text",
    confirm: "email.send",
    fields: [
      {
        name: "input",
        t: "field.email_new",
        type: "email",
        autocomplete: "email",
        maxlength: 254,
        required: "error.email_missing",
      },
    ],
  });
  if (!answer) return;
  run(element, null, async () => {
    await keyhaven.changeEmail(answer.input.trim());
    succeed("email_sent");
  });
}

function exportAll(element) {
  return run(element, null, async () => {
    const everything = await keyhaven.exportAccount();
    save("account.json", JSON.stringify(everything, null, 2), "application/json");
    succeed("exported");
  });
}

/** Asks for the name to be typed: this cannot be taken back. */
async function deleteAccount(element) {
  const { user } = state.current;
  const answer = await ask({
    name: "leave",
    title: "data.delete_title",
    text: ["data.delete_text", { name: el("strong", {}, user.username) }],
    confirm: "data.delete",
    danger: true,
    fields: [
      {
        name: "input",
        t: "data.delete_name",
        autocomplete: "off",
        autocapitalize: "none",
        spellcheck: "false",
        required: "error.username_required",
      },
    ],
    check: ({ input }) => (input.trim().toLowerCase() === user.username.toLowerCase() ? null : ["input", "error.other_name"]),
  });
  if (!answer) return;
  run(element, null, async () => {
    await keyhaven.deleteAccount();
    tell("signed-out", "account_deleted");
  });
}
