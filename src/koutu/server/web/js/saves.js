// What can be saved of what is open: stills made here, recordings made here, whole videos made on the server.

import { symbol } from "./backgrounds.js";
import { channelsOf, png } from "./png.js";
import { settings } from "./settings.js";
import { say } from "./words.js";

const $ = (id) => document.getElementById(id);
const STILLS = { cutout: 4, result: 3, alpha: 1, original: 3 }; // channels of each

/**
 * Offer what `source` can give; acts: {still(what), video(format), record(how)}.
 * matted: whether there is a result; until then only the original, and what the server makes anew, can be saved.
 */
export function offer(source, { acts, canRecord, canServer, recording, matted }) {
  const wide = (word, icon, act, main) => [word, icon, act, `full ${main ? "main" : ""}`];
  const rows = [];
  const transparent = settings.get("background") === "transparent";
  if (source?.kind === "video" && canServer) {
    rows.push(transparent ? wide("saveWebm", "save", () => acts.video("webm"), true) : wide("saveMp4", "save", () => acts.video("mp4"), true));
    rows.push(transparent ? wide("saveMp4", "save", null) : wide("saveWebm", "save", () => acts.video("webm")));
    rows.push(wide("saveGif", "save", () => acts.video("gif")));
  }
  if (source?.kind === "camera" && canRecord) {
    rows.push(wide(recording ? "recordStop" : "record", recording ? "halt" : "record", (transparent || !matted) && !recording ? null : acts.record, true));
  }
  if (source) {
    const made = (what) => (matted ? () => acts.still(what) : null);
    rows.push(["saveCutout", "save", made("cutout"), source.kind === "picture" ? "main" : ""]);
    rows.push(["saveResult", "save", transparent ? null : made("result"), ""]);
    rows.push(["saveAlpha", "save", made("alpha"), ""]);
    rows.push(["saveOriginal", "save", () => acts.still("original"), ""]);
  }
  const focused = $("saves").querySelector("button:focus")?.dataset.word;
  $("saves").replaceChildren(...rows.map((row) => button(...row)));
  $("saves").querySelector(`button[data-word="${focused}"]`)?.focus();
  note(source, canRecord, canServer);
}

function note(source, canRecord, canServer) {
  const opaque = settings.get("background") === "transparent" ? "recordOpaque" : settings.get("sound") ? "recordNote" : "recordNoteSilent";
  const words = { video: canServer ? "jobNote" : "", camera: canRecord ? opaque : "recordUnsupported" };
  const word = source ? words[source.kind] : "saveNothing";
  $("save-note").hidden = !word;
  $("save-note").dataset.word = word ?? "";
  $("save-note").textContent = word ? say(word, { host: location.host }) : "";
}

function button(word, icon, act, kind) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = kind;
  element.disabled = !act;
  element.dataset.word = word;
  const text = document.createElement("span");
  text.textContent = say(word);
  element.append(symbol(icon), text);
  if (act) element.addEventListener("click", act);
  return element;
}

/** One of STILLS of a slot as a PNG file. */
export async function still(compositor, slot, what, look) {
  const bytes = compositor.bytes(slot, { ...look, view: what });
  const channels = STILLS[what];
  return png(channelsOf(bytes, channels), ...slot.size, channels);
}

/** Give the visitor a file. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** portrait.jpg, "cutout", "png" → portrait-cutout.png */
export function nameFor(source, what, ending) {
  const stem = source.file?.name?.replace(/\.[^.]+$/, "") || "koutu";
  return `${stem}-${what}.${ending}`;
}
