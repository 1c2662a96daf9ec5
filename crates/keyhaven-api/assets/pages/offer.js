/**
 * The offer of a passkey to somebody who has signed in with a password (in passing where the browser can, and by asking),
 * or with the passkey of another device.
 *
 * @module pages/offer
 */

import { keyhaven, run, state, tell } from "../context.js";
import { keep, recall } from "../kept.js";
import { button, el } from "../ui.js";
import { showTask } from "./task.js";

/** Where it is kept that nobody wants a passkey on this device. */
const KEPT = "keyhaven-no-passkey-here";

/** Shows the offer to somebody who has signed in with a password. Meanwhile a password manager may make the passkey. */
export function showOffer() {
  const silently = new AbortController();
  const attempt = inPassing(silently.signal);
  show({
    name: "offer",
    title: "offer.title",
    text: "offer.text",
    reasons: ["offer.faster", "offer.safer"],
    leave: "offer.later",
    make: async () => {
      silently.abort();
      return (await attempt) ?? (await keyhaven.addPasskey());
    },
    later: () => silently.abort(),
  });
}

/** Whether this device can have a passkey, and nobody has said that it should not. */
export function wantsOneHere() {
  return state.capabilities.platformAuthenticator && recall(KEPT) === null;
}

/** Shows the offer to somebody who has signed in with the passkey of another device. */
export function showOfferHere() {
  show({
    name: "offer-here",
    title: "offer_here.title",
    text: "offer_here.text",
    reasons: ["offer_here.faster", "offer_here.safer"],
    leave: "offer_here.later",
    make: makeHere,
    later: decline,
  });
}

async function makeHere() {
  try {
    return await keyhaven.addPasskey({ authenticatorAttachment: "platform" });
  } catch (error) {
    // It has one: another need not be offered again.
    if (error.code === "already_registered") decline();
    throw error;
  }
}

function show({ name, title, text, reasons, leave, make, later }) {
  const made = (element) =>
    run(element, "prompt.create", async () => {
      tell("signed-in", { ...(await make()), message: "passkey_added" });
    });
  const left = () => {
    later();
    tell("task-done");
  };
  showTask(
    name,
    title,
    el("p", { class: "card-text", t: text }),
    el("ul", { class: "steps" }, ...reasons.map((reason) => el("li", { t: reason }))),
    el(
      "div",
      { class: "actions" },
      button({ id: "offer-later", t: leave, on: left }),
      button({ id: "offer-make", t: "offer.make", kind: "primary", icon: "passkey", on: made }),
    ),
  );
}

function decline() {
  keep(KEPT, "1");
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
