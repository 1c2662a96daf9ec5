/**
 * Drawing: elements, cards, the live region, dialogs. Knows nothing of the API.
 *
 * Everything is made of elements and text nodes, never of markup in strings: what a user chose cannot become more than
 * text.
 *
 * @module ui
 */

import { fill, fillAttribute, t, unsay } from "./i18n.js";

/** The element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Makes an element.
 *
 * @param {string} tag
 * @param {object} [options] `t` (a text's key, or `[key, params]`), `label` and `title` (alike, for the attributes),
 *   `data` (dataset), `on` (listeners by event); everything else is an attribute, left out where `false` or nullish
 * @param {...(Node | string | null | undefined | false)} children
 */
export function el(tag, { t: text, label, title, data, on, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  Object.assign(element.dataset, data);
  for (const [event, listener] of Object.entries(on ?? {})) element.addEventListener(event, listener);
  element.append(...children.filter((child) => child || child === 0));
  if (text) fill(element, ...[text].flat());
  if (label) fillAttribute(element, "aria-label", ...[label].flat());
  if (title) fillAttribute(element, "title", ...[title].flat());
  return element;
}

/** An icon of the sprite. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/**
 * A button. `kind`: the classes of its looks.
 *
 * @param {{ id?: string, t: string | [string, object], kind?: string, icon?: string, on?: Function }} options
 */
export function button({ id, t: text, kind = "quiet", icon: picture, on, ...rest }) {
  const label = el("span", { t: text });
  const children = picture ? [icon(picture), label] : [label];
  const element = el("button", { type: "button", id, class: `button ${kind}`, ...rest }, ...children);
  if (on) element.addEventListener("click", () => on(element));
  return element;
}

/** A card with a heading, and beside that whatever `actions` are. */
export function card(name, title, { actions = [], ...rest } = {}, ...children) {
  const heading = el("h2", { id: `${name}-title`, tabindex: "-1", t: title });
  const head = el("div", { class: "card-head" }, heading, ...actions);
  return el("section", { id: `${name}-card`, class: "card", "aria-labelledby": heading.id, ...rest }, head, ...children);
}

/** `[term, value]` pairs as a description list: terms are texts' keys, values text or nodes. */
export function facts(pairs) {
  const rows = pairs.map(([term, value]) => el("div", {}, el("dt", { t: term }), el("dd", {}, value)));
  return el("dl", { class: "facts" }, ...rows);
}

/** A labelled field with room for a message. `hint`: a text's key. */
export function field({ id, t: text, hint, optional = false, ...attributes }) {
  const described = [`${id}-error`, hint && `${id}-hint`].filter(Boolean).join(" ");
  const input = el("input", { id, type: "text", "aria-describedby": described, ...attributes });
  const label = el("label", { for: id }, el("span", { t: text }));
  if (optional) label.append(" ", el("span", { class: "optional", t: "field.optional" }));
  input.addEventListener("input", () => setFieldError(input, null));
  return el(
    "div",
    { class: "field" },
    label,
    input,
    el("p", { id: `${id}-error`, class: "field-error", hidden: true }),
    hint && el("p", { id: `${id}-hint`, class: "hint", t: hint }),
  );
}

/** Shows or removes the message under a field: a text's key, or `[key, params]`. */
export function setFieldError(input, text) {
  const error = byId(`${input.id}-error`);
  error.hidden = !text;
  if (text) {
    fill(error, ...[text].flat());
    input.setAttribute("aria-invalid", "true");
  } else {
    unsay(error);
    error.textContent = "";
    input.removeAttribute("aria-invalid");
  }
}

/** Marks a button as working, or not. It keeps the focus, unlike a disabled one. */
export function setBusy(element, busy) {
  element.setAttribute("aria-busy", String(busy));
  element.setAttribute("aria-disabled", String(busy));
}

// ── The live region ─────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Shows one sentence in the live region.
 *
 * @param {{ t: string | [string, object], code: string, kind: "info" | "success" | "hint" | "error" }} message
 */
export function showStatus({ t: text, code, kind }) {
  const bar = byId("status-bar");
  const status = byId("status");
  bar.dataset.kind = kind;
  bar.classList.remove("is-empty");
  fill(status, ...[text].flat());
  status.dataset.code = code;
}

/** Empties the live region. */
export function clearStatus() {
  byId("status-bar").classList.add("is-empty");
  const status = byId("status");
  unsay(status);
  status.textContent = "";
  status.dataset.code = "";
}

// ── Dialogs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Asks something. Answers the fields' values by name, or `null` where it was left.
 *
 * @param {object} question
 * @param {string} question.name names the dialog's elements: `NAME-dialog`, `NAME-confirm`, `NAME-cancel`, `NAME-FIELD`
 * @param {string | [string, object]} question.title
 * @param {string | [string, object]} [question.text]
 * @param {string} question.confirm
 * @param {boolean} [question.danger]
 * @param {object[]} [question.fields] each `{ name, t, value?, required?, … }`; `required` is the key of what is said
 *   where it is empty; `type: "checkbox"`, or `options` (`[value, text]` pairs) for a choice
 * @param {(values: object) => [string, string] | null} [question.check] objects to a field's value: its name, and the
 *   key of what is said
 * @param {[string, string] | null} [question.objection] such an objection to what was answered before
 * @returns {Promise<Record<string, string | boolean> | null>}
 */
export function ask({ name, title, text, confirm, danger = false, fields = [], check = () => null, objection = null }) {
  const drawn = fields.map((one) => [one, drawField(name, one)]);
  const input = ([one]) => byId(`${name}-${one.name}`);
  return new Promise((resolve) => {
    let answer = null;
    const objectTo = ([own, key]) => {
      const field = byId(`${name}-${own}`);
      setFieldError(field, key);
      field.focus();
    };
    const form = el(
      "form",
      { id: `${name}-form`, novalidate: true },
      el("h2", { id: `${name}-title`, t: title }),
      text && el("p", { id: `${name}-text`, class: "dialog-text", t: text }),
      ...drawn.map(([, element]) => element),
      el(
        "div",
        { class: "actions" },
        button({ id: `${name}-cancel`, t: "action.cancel", autofocus: fields.length === 0, on: () => dialog.close() }),
        el("button", { type: "submit", id: `${name}-confirm`, class: `button ${danger ? "danger" : "primary"}`, t: confirm }),
      ),
    );
    const dialog = el(
      "dialog",
      { id: `${name}-dialog`, "aria-labelledby": `${name}-title`, "aria-describedby": text && `${name}-text` },
      form,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const missing = drawn.find((one) => one[0].required && !input(one).value.trim());
      if (missing) return objectTo([missing[0].name, missing[0].required]);
      const given = Object.fromEntries(
        drawn.map((one) => [one[0].name, one[0].type === "checkbox" ? input(one).checked : input(one).value]),
      );
      const wrong = check(given);
      if (wrong) return objectTo(wrong);
      answer = given;
      dialog.close();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
    if (drawn.length > 0) input(drawn[0]).select?.();
    if (objection) objectTo(objection);
  });
}

function drawField(name, { name: own, t: text, value, required, options, ...attributes }) {
  const id = `${name}-${own}`;
  if (options) {
    const select = el("select", { id }, ...options.map(([option, label]) => el("option", { value: option }, label)));
    if (value) select.value = value;
    return el("div", { class: "field" }, el("label", { for: id, t: text }), select);
  }
  if (attributes.type === "checkbox") {
    const box = el("input", { id, type: "checkbox", checked: value === true });
    return el("label", { class: "check", for: id }, box, el("span", { t: text }));
  }
  const element = field({ id, t: text, ...attributes });
  if (value) element.querySelector("input").value = value;
  return element;
}

/**
 * Shows a secret that nobody can show again, until it is put away by the button.
 *
 * @param {{ name: string, title: string, text: string, lines: string[], file: string }} secret `file`: the name it is
 *   kept under
 * @returns {Promise<void>}
 */
export function showOnce({ name, title, text, lines, file }) {
  return new Promise((resolve) => {
    const plain = lines.join("\n");
    const copied = el("p", { class: "hint", role: "status", "aria-live": "polite" });
    const list = el("ul", { class: "secrets", id: `${name}-lines` }, ...lines.map((line) => el("li", {}, el("code", {}, line))));
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(plain);
        fill(copied, "secret.copied");
      } catch {
        getSelection().selectAllChildren(list);
        fill(copied, "secret.not_copied");
      }
    };
    const download = () => save(file, `${plain}\n`, "text/plain");
    let kept = false;
    const done = () => {
      kept = true;
      dialog.close();
    };
    const dialog = el(
      "dialog",
      { id: `${name}-dialog`, "aria-labelledby": `${name}-title`, "aria-describedby": `${name}-text`, data: { once: "" } },
      el("h2", { id: `${name}-title`, t: title }),
      el("p", { id: `${name}-text`, class: "dialog-text", t: text }),
      list,
      copied,
      el(
        "div",
        { class: "actions" },
        button({ id: `${name}-copy`, t: "secret.copy", on: copy }),
        button({ id: `${name}-download`, t: "secret.download", on: download }),
        button({ id: `${name}-done`, t: "secret.done", kind: "primary", on: done }),
      ),
    );
    // Escape would lose it by accident. A browser lets itself be stopped only once: then it opens again.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => {
      if (!kept) return dialog.showModal();
      dialog.remove();
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Has the browser keep a text as a file. */
export function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Closes what is open, but for secrets that nobody can show again. */
export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog[open]:not([data-once])")) dialog.close();
}

// ── Devices ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** “Chrome on Linux”, from a user agent string. A label for people, never a decision. */
export function describeUserAgent(text) {
  return t(...wordsFor(text));
}

/** The same as an element, which follows the language; what was read is its title. */
export function device(userAgent, attributes = {}) {
  const title = userAgent ? ["raw", { text: userAgent }] : undefined;
  return el("span", { t: wordsFor(userAgent), title, ...attributes });
}

function wordsFor(userAgent) {
  const first = (names) => names.find(([pattern]) => pattern.test(userAgent ?? ""))?.[1];
  const browser = first(BROWSERS);
  const system = first(SYSTEMS);
  if (browser && system) return ["device.browser_on", { browser, system }];
  return browser || system ? ["raw", { text: browser ?? system }] : ["device.unknown", {}];
}

const BROWSERS = [
  [/\bEdg(?:e|A|iOS)?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\b(?:Firefox|FxiOS)\//, "Firefox"],
  [/\b(?:Headless)?(?:Chrome|CriOS|Chromium)\//, "Chrome"],
  [/\bSafari\//, "Safari"],
];

const SYSTEMS = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac(?:intosh| OS X)\b/, "macOS"],
  [/\bLinux\b/, "Linux"],
];
