/**
 * One thing to do, alone on the page: what a mailed link leads to, a passkey on offer, the end of a recovery.
 *
 * @module pages/task
 */

import { byId, closeDialogs, el } from "../ui.js";

/** Shows a card with a heading, which gets the focus. */
export function showTask(name, title, ...children) {
  closeDialogs();
  const heading = el("h1", { id: `${name}-title`, tabindex: "-1", t: title });
  const task = byId("task");
  task.replaceChildren(el("div", { class: "card", role: "group", "aria-labelledby": heading.id }, heading, ...children));
  for (const view of ["loading", "signed-out", "signed-in"]) byId(view).hidden = true;
  byId("sign-out").hidden = true;
  task.hidden = false;
  heading.focus();
  document.documentElement.dataset.state = "task";
  document.documentElement.dataset.task = name;
}

/** Takes it away. */
export function closeTask() {
  byId("task").hidden = true;
  byId("task").replaceChildren();
  delete document.documentElement.dataset.task;
}

/** Whether there is one. */
export function inTask() {
  return !byId("task").hidden;
}
