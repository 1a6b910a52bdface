// What happened, in words, seen and heard: trouble stays until it is closed, the rest goes by itself.

import { say } from "./words.js";

const STAY_MS = 6000;
const $ = (id) => document.getElementById(id);

/** Tell only those who hear the page. */
export function whisper(key, values) {
  $("told").textContent = say(key, values);
}

/** actions: [[key of the word, function], …]; the same key again takes the earlier one's place. */
export function tell(key, values = {}, { trouble = false, actions = [] } = {}) {
  $("notices").querySelector(`[data-key="${key}"]`)?.remove();
  const notice = document.createElement("div");
  notice.className = trouble ? "notice trouble" : "notice";
  notice.dataset.key = key;
  notice.setAttribute("role", trouble ? "alert" : "status");
  const text = document.createElement("p");
  text.textContent = say(key, values);
  notice.append(text);
  for (const [word, act] of actions) notice.append(button(word, () => (notice.remove(), act())));
  const close = button("dismiss", () => notice.remove());
  close.className = "icon";
  close.setAttribute("aria-label", say("dismiss"));
  close.textContent = "×";
  notice.append(close);
  $("notices").append(notice);
  if (!trouble && !actions.length) setTimeout(() => notice.remove(), STAY_MS);
}

export const trouble = (key, values, actions = []) => tell(key, values, { trouble: true, actions });

/** Take back what no longer holds. */
export function untell(...keys) {
  for (const key of keys) $("notices").querySelector(`[data-key="${key}"]`)?.remove();
}

function button(word, act) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = say(word);
  element.addEventListener("click", act);
  return element;
}
