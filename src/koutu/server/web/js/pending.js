// What lies over the stage while there is no result yet: what is awaited, and for how long already.

import { settings } from "./settings.js";
import { say } from "./words.js";

const $ = (id) => document.getElementById(id);

export class Pending {
  constructor() {
    this.since = performance.now();
  }

  /** Another picture is awaited from now on. */
  again() {
    this.since = performance.now();
  }

  /** state: the app's; progress: share of the network that is loaded, or null. */
  draw({ source, session, state, progress }) {
    const wanted = Boolean(source) && !session.matted && settings.get("view") !== "original";
    $("pending").hidden = !wanted;
    if (!wanted) return;
    const loading = state === "wait";
    const share = loading && typeof progress === "number" ? progress : null;
    const bar = $("pending-progress");
    bar.hidden = state === "lost";
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    const seconds = Math.round((performance.now() - this.since) / 1000);
    const word = state === "lost" ? "pendingLost" : loading ? "pendingLoading" : "pendingCutting";
    $("pending-text").textContent = say(word);
    $("pending-time").textContent = seconds > 1 && state !== "lost" ? say("seconds", { seconds }) : "";
  }
}
