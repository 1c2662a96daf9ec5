/**
 * The offer of a passkey to somebody who has signed in with a password: in passing where the browser can, and by asking.
 *
 * @module pages/offer
 */

import { keyhaven, run, state, tell } from "../context.js";
import { button, el } from "../ui.js";
import { showTask } from "./task.js";

/** Shows the offer. Meanwhile a password manager may make the passkey by itself. */
export function showOffer() {
  const silently = new AbortController();
  const attempt = inPassing(silently.signal);
  const make = (element) =>
    run(element, "prompt.create", async () => {
      silently.abort();
      const made = (await attempt) ?? (await keyhaven.addPasskey());
      tell("signed-in", { ...made, message: "passkey_added" });
    });
  const later = () => {
    silently.abort();
    tell("task-done");
  };
  showTask(
    "offer",
    "offer.title",
    el("p", { class: "card-text", t: "offer.text" }),
    el(
      "ul",
      { class: "steps" },
      el("li", { t: "offer.faster" }),
      el("li", { t: "offer.safer" }),
    ),
    el(
      "div",
      { class: "actions" },
      button({ id: "offer-later", t: "offer.later", on: later }),
      button({ id: "offer-make", t: "offer.make", kind: "primary", icon: "passkey", on: make }),
    ),
  );
}

/** Conditional create. Its refusal is nobody's concern: the button is still there. */
async function inPassing(signal) {
  if (!state.capabilities.conditionalCreate) return null;
  try {
    const made = await keyhaven.addPasskey({ mediation: "conditional", signal });
    if (!signal.aborted) tell("signed-in", { ...made, message: "passkey_made" });
    return made;
  } catch {
    return null;
  }
}
