/**
 * The page's language: the browser's, or the one chosen with the switch; texts and times in it.
 *
 * An element filled by {@link fill} remembers its key, so that {@link translate} says everything again in another language
 * without drawing anything anew. Texts are `messages.js`'s.
 *
 * @module i18n
 */

import { keep, recall } from "./kept.js";
import { LANGUAGES, WORDS } from "./messages.js";

/** Where the choice is kept: a preference, no secret. Nothing is kept until somebody chooses. */
const KEPT = "keyhaven-language";

let chosen = kept() ?? preferred();

/** What stands for itself in any text: `{domain}`, `{rpId}`. */
const everywhere = { domain: () => strong(location.hostname), rpId: () => strong(rpId) };

let rpId = location.hostname;

/** @type {WeakMap<Element, Map<string, [string, object]>>} */
const said = new WeakMap();

/** `en` or `de`. */
export function language() {
  return chosen;
}

/** The language that the switch leads to. */
export function otherLanguage() {
  return LANGUAGES[(LANGUAGES.indexOf(chosen) + 1) % LANGUAGES.length];
}

/** Says everything in another language. */
export function choose(next) {
  chosen = next;
  keep(KEPT, next);
  translate();
}

/** The domain that the passkeys belong to, once the server has told it. */
export function setRpId(id) {
  rpId = id;
}

/** A text. `params` fill its `{places}`. */
export function t(key, params = {}) {
  return pieces(key, params)
    .map((piece) => (piece instanceof Node ? piece.textContent : piece))
    .join("");
}

/** Whether there is such a text. */
export function known(key) {
  return Object.hasOwn(WORDS, key);
}

/** Puts a text into an element, for good: it follows the language. Nodes among `params` keep their place. */
export function fill(element, key, params = {}) {
  remember(element, "", key, params);
  say(element, "", key, params);
  return element;
}

/** Puts a text into an attribute, as {@link fill}. */
export function fillAttribute(element, attribute, key, params = {}) {
  remember(element, attribute, key, params);
  say(element, attribute, key, params);
  return element;
}

/** Forgets the element's text. */
export function unsay(element) {
  said.get(element)?.delete("");
  delete element.dataset.t;
}

/** Says all texts and times below `root` in the chosen language. */
export function translate(root = document) {
  document.documentElement.lang = chosen;
  for (const element of root.querySelectorAll("[data-t], [data-t-label], [data-t-title]")) {
    const texts = said.get(element) ?? new Map();
    const { t: text, tLabel, tTitle } = element.dataset;
    if (text && !texts.has("")) texts.set("", [text, {}]);
    if (tLabel && !texts.has("aria-label")) texts.set("aria-label", [tLabel, {}]);
    if (tTitle && !texts.has("title")) texts.set("title", [tTitle, {}]);
    for (const [attribute, [key, params]] of texts) say(element, attribute, key, params);
  }
  for (const element of root.querySelectorAll("time")) sayTime(element);
}

// ── Times ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * A moment for a person, in a `<time>` element.
 *
 * @param {string | null | undefined} value RFC 3339
 * @param {"relative" | "exact"} [style]
 */
export function time(value, style = "relative") {
  const date = toDate(value);
  if (!date) return fill(document.createElement("span"), "time.never");
  const element = document.createElement("time");
  element.dateTime = date.toISOString();
  element.dataset.style = style;
  sayTime(element);
  return element;
}

/** RFC 3339 text to a date. */
export function toDate(value) {
  if (value === null || value === undefined || value === "") return null;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? null : date;
}

function sayTime(element) {
  const date = new Date(element.dateTime);
  element.title = date.toLocaleString(chosen, { dateStyle: "full", timeStyle: "medium" });
  element.textContent =
    element.dataset.style === "exact"
      ? date.toLocaleString(chosen, { dateStyle: "medium", timeStyle: "short" })
      : relative(date);
}

function relative(date, now = new Date()) {
  const seconds = Math.round((date - now) / 1000);
  const format = new Intl.RelativeTimeFormat(chosen, { numeric: "auto" });
  const size = Math.abs(seconds);
  if (size < 45) return t(seconds <= 0 ? "time.now" : "time.soon");
  if (size < 45 * 60) return format.format(Math.round(seconds / 60), "minute");
  if (size < 22 * 3600) return format.format(Math.round(seconds / 3600), "hour");
  if (size < 7 * 86400) return format.format(Math.round(seconds / 86400), "day");
  return date.toLocaleDateString(chosen, { dateStyle: "medium" });
}

// ── Texts ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function remember(element, attribute, key, params) {
  if (!said.has(element)) said.set(element, new Map());
  said.get(element).set(attribute, [key, params]);
  const mark = { "": "t", "aria-label": "tLabel", title: "tTitle" }[attribute];
  element.dataset[mark] = key;
}

function say(element, attribute, key, params) {
  if (attribute) element.setAttribute(attribute, t(key, params));
  else element.replaceChildren(...pieces(key, params));
}

/** The text in pieces: strings, and nodes where the places are filled with such. */
function pieces(key, params) {
  const words = WORDS[key];
  if (!words) throw new Error(`no text ${key}`);
  return words[LANGUAGES.indexOf(chosen)]
    .split(/\{(\w+)\}/)
    .map((piece, index) => (index % 2 === 0 ? piece : (params[piece] ?? everywhere[piece]?.() ?? "")))
    .filter((piece) => piece !== "")
    .map((piece) => (piece instanceof Node ? piece : String(piece)));
}

function strong(text) {
  const element = document.createElement("strong");
  element.textContent = text;
  return element;
}

function kept() {
  const value = recall(KEPT);
  return LANGUAGES.includes(value) ? value : null;
}

/** The first of the browser's languages that there are texts in. */
function preferred() {
  const wanted = (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2).toLowerCase());
  return wanted.find((tag) => LANGUAGES.includes(tag)) ?? LANGUAGES[0];
}
