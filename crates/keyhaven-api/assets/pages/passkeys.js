/**
 * The passkeys of the account: what they are, another one, other names, and away with them.
 *
 * @module pages/passkeys
 */

import { keyhaven, report, run, state, succeed, tell } from "../context.js";
import { fill, setRpId, t, time } from "../i18n.js";
import { ask, button, byId, card, describeUserAgent, device, el, icon } from "../ui.js";

/** @type {import("../keyhaven.d.ts").Credential[]} as drawn last */
let drawn = [];

/** The card, still empty. */
export function passkeysCard() {
  const add = button({ id: "add-passkey", t: "passkeys.add", kind: "primary", icon: "plus", on: addPasskey });
  return card(
    "passkeys",
    "passkeys.title",
    { actions: [add] },
    el("p", { class: "card-text", id: "passkeys-text", t: "passkeys.text" }),
    el(
      "div",
      { id: "passkey-review", class: "notice inline", hidden: true },
      el("p", { t: "passkeys.review" }),
      el(
        "div",
        { class: "notice-actions" },
        button({ id: "review-keep", t: "passkeys.review_keep", on: () => endReview() }),
        button({ id: "review-remove", t: "passkeys.review_remove", kind: "secondary", on: removeOld }),
      ),
    ),
    el("p", { id: "passkey-single", class: "notice inline", t: "passkeys.single", hidden: true }),
    el("ul", { id: "passkey-list", class: "rows", "aria-labelledby": "passkeys-title", "aria-busy": "true" }),
    el("p", { id: "passkey-empty", class: "empty", t: "passkeys.none", hidden: true }),
    el(
      "p",
      { class: "card-foot" },
      button({ id: "delete-others", t: "passkeys.delete_others", kind: "secondary danger-text", on: removeOthers }),
    ),
  );
}

/** Reads the list and draws it. */
export async function loadPasskeys() {
  try {
    const { credentials, rpId } = await keyhaven.credentials();
    if (!byId("passkeys-text")) return; // signed out meanwhile
    setRpId(rpId);
    fill(byId("passkeys-text"), "passkeys.text");
    draw(credentials);
  } catch (error) {
    byId("passkey-list")?.setAttribute("aria-busy", "false");
    report(error);
  }
}

function draw(credentials) {
  drawn = credentials;
  const list = byId("passkey-list");
  if (!list) return; // signed out meanwhile
  list.replaceChildren(...credentials.map(row));
  list.setAttribute("aria-busy", "false");
  const inUse = credentials.filter(({ active }) => active);
  byId("passkey-empty").hidden = credentials.length > 0;
  byId("passkey-single").hidden = inUse.length !== 1;
  byId("delete-others").hidden = credentials.length < 2;
  byId("passkey-review").hidden = state.review === null || credentials.length < 2;
}

function row(credential) {
  const name = passkeyName(credential);
  const { id, active, inactiveReason, lastUsedAt, deviceName, userAgent } = credential;
  const [sync, picture] = syncState(credential);
  const suspended = inactiveReason === "clone_suspended";
  const where = credential.authenticatorName ?? null;
  return el(
    "li",
    { class: "row", data: { testid: "passkey", credentialId: id } },
    el("span", { class: "row-icon" }, icon(kindOf(credential).icon)),
    el(
      "div",
      { class: "row-body" },
      el("h3", { data: { testid: "passkey-name" } }, name),
      el(
        "p",
        { class: "row-sub" },
        where
          ? el("span", { data: { testid: "passkey-authenticator" } }, where)
          : el("span", { data: { testid: "passkey-authenticator" }, t: kindOf(credential).t }),
        el(
          "span",
          { class: "badge", data: { kind: sync, testid: "passkey-sync" }, title: `passkey.${sync}_why` },
          icon(picture),
          el("span", { t: `passkey.${sync}` }),
        ),
        credential.pin && el("span", { class: "badge", t: "passkey.pin" }),
        state.review === id && el("span", { class: "badge", data: { kind: "synced" }, t: "passkey.new" }),
        !active && el("span", { class: "badge", data: { kind: "suspended", testid: "passkey-suspended" }, t: off(inactiveReason) }),
      ),
      el(
        "p",
        { class: "row-meta" },
        el("span", { t: ["passkey.created", { when: time(credential.createdAt) }] }),
        lastUsedAt
          ? el("span", { data: { testid: "passkey-last-used" }, t: ["passkey.last_used", { when: time(lastUsedAt) }] })
          : el("span", { data: { testid: "passkey-last-used" }, t: "passkey.not_used" }),
        name === deviceName && userAgent && el("span", { t: ["passkey.made_with", { browser: device(userAgent) }] }),
      ),
    ),
    el(
      "div",
      { class: "row-actions" },
      suspended &&
        action("reactivate", ["passkey.use_again_label", { name }], "passkey.use_again", "quiet", () => reactivate(credential)),
      action("rename", ["passkey.rename_label", { name }], "passkey.rename", "quiet", () => rename(credential)),
      action("delete", ["passkey.delete_label", { name }], "passkey.delete", "quiet danger-text", () => remove(credential)),
    ),
  );
}

function action(name, label, text, kind, on) {
  return el("button", {
    type: "button",
    class: `button ${kind}`,
    data: { testid: name },
    t: text,
    label,
    on: { click: on },
  });
}

/** What the server calls a passkey whose authenticator it does not know. */
const UNKNOWN = "Passkey";

/** The name a passkey goes by. */
function passkeyName({ deviceName, authenticatorName, userAgent }) {
  if (deviceName !== UNKNOWN || authenticatorName || !userAgent) return deviceName;
  return t("passkey.unnamed", { device: describeUserAgent(userAgent) });
}

/** Why a passkey does not sign in. */
function off(reason) {
  if (reason === "clone_revoked") return "passkey.revoked";
  return reason === "clone_suspended" ? "passkey.suspended" : "passkey.off";
}

/** Where a passkey lives: a word for it, and its icon. */
function syncState({ backupEligible, backedUp }) {
  if (backedUp) return ["synced", "cloud"];
  return backupEligible ? ["syncable", "device"] : ["bound", "device"];
}

function kindOf({ transports }) {
  if (transports.includes("internal")) return { t: "passkey.of_device", icon: "passkey" };
  if (transports.includes("hybrid")) return { t: "passkey.of_phone", icon: "device" };
  if (transports.length > 0) return { t: "passkey.of_key", icon: "key" };
  return { t: "passkey.of_unknown", icon: "passkey" };
}

// ── Changes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function addPasskey(element) {
  return run(element, "prompt.create", async () => {
    const { session } = await keyhaven.addPasskey();
    await loadPasskeys();
    tell("session", session);
    succeed("passkey_added");
  });
}

async function rename(credential) {
  const answer = await ask({
    name: "rename",
    title: "passkey.rename_title",
    confirm: "action.save",
    fields: [
      { name: "input", t: "field.name", value: passkeyName(credential), maxlength: 64, required: "error.name_required", autocomplete: "off" },
    ],
  });
  if (!answer) return;
  const name = answer.input.trim();
  run(rowButton(credential.id, "rename"), null, async () => {
    await keyhaven.renameCredential(credential.id, name);
    await loadPasskeys();
    rowButton(credential.id, "rename")?.focus();
    succeed("renamed", { name });
  });
}

async function remove(credential) {
  const name = passkeyName(credential);
  const question = { name: "delete", title: ["passkey.delete_title", { name }], text: "passkey.delete_text", confirm: "passkey.delete_confirm", danger: true };
  if (!(await ask(question))) return;
  removing(rowButton(credential.id, "delete"), () => keyhaven.deleteCredential(credential.id), ["deleted", { name }]);
}

async function removeOthers() {
  const answer = await ask({
    name: "others",
    title: "passkeys.others_title",
    text: "passkeys.others_text",
    confirm: "passkeys.others_confirm",
    danger: true,
    fields: [{ name: "keep", t: "passkeys.others_keep", options: drawn.map((one) => [one.id, passkeyName(one)]), value: mostUsed().id }],
  });
  if (!answer) return;
  removing(byId("delete-others"), () => keyhaven.deleteAllCredentials({ except: answer.keep }), ["deleted_others"]);
}

async function removeOld(element) {
  const except = state.review;
  const kept = drawn.find(({ id }) => id === except);
  const question = {
    name: "old",
    title: "passkeys.old_title",
    text: ["passkeys.old_text", { name: kept ? passkeyName(kept) : "" }],
    confirm: "passkeys.others_confirm",
    danger: true,
  };
  if (!kept || !(await ask(question))) return;
  removing(element, async () => {
    await keyhaven.deleteAllCredentials({ except });
    state.review = null;
  }, ["deleted_others"]);
}

function endReview() {
  state.review = null;
  draw(drawn);
  byId("passkeys-title").focus();
}

function removing(element, call, done) {
  return run(element, null, async () => {
    await call();
    await loadPasskeys();
    tell("sessions-changed"); // those that it opened have ended with it
    byId("passkeys-title")?.focus();
    succeed(...done);
  });
}

function reactivate({ id }) {
  return run(rowButton(id, "reactivate"), null, async () => {
    await keyhaven.reactivateCredential(id);
    await loadPasskeys();
    byId("passkeys-title").focus();
    succeed("reactivated");
  });
}

/** The passkey used last. */
function mostUsed() {
  return [...drawn].sort((a, b) => (b.lastUsedAt ?? b.createdAt).localeCompare(a.lastUsedAt ?? a.createdAt))[0];
}

function rowButton(id, part) {
  return document.querySelector(`[data-credential-id="${CSS.escape(id)}"] [data-testid="${part}"]`);
}
