/**
 * What the browser keeps for this site from one visit to the next. Where it may not keep anything, nothing is kept: a page
 * works all the same, for as long as it is open.
 *
 * @module kept
 */

/** What is kept under this name, or `null`. */
export function recall(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Keeps a text under this name; `null`: no longer. */
export function keep(name, text) {
  try {
    if (text === null) localStorage.removeItem(name);
    else localStorage.setItem(name, text);
  } catch {
    // Not allowed to.
  }
}
