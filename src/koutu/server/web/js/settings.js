// What the visitor chose: kept between visits, except what belongs to one picture; an address may ask for more.

const DEFAULTS = {
  view: "result", engine: "auto", place: "auto", size: "auto", mirror: true, theme: "auto",
  language: navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en",
  background: "studio", // "transparent", "blur", "#rrggbb", a name of the server's, "upload"
  strength: 10,
  sound: true, // in recordings
};
const KEPT = ["engine", "place", "size", "mirror", "theme", "language", "background", "strength", "sound"];
const ASKED = ["engine", "place", "size", "theme", "language", "background", "view"];
const STORE = "koutu";

function kept() {
  try {
    return JSON.parse(localStorage.getItem(STORE) ?? "{}");
  } catch {
    return {}; // no storage here, or not ours
  }
}

const asked = Object.fromEntries([...new URLSearchParams(location.search)].filter(([name]) => ASKED.includes(name)));
const values = { ...DEFAULTS, ...kept(), ...asked };
if (values.background === "upload") values.background = DEFAULTS.background; // its picture is not kept
const listeners = [];

export const settings = {
  get: (name) => values[name],

  set(name, value) {
    if (values[name] === value) return;
    values[name] = value;
    try {
      localStorage.setItem(STORE, JSON.stringify(Object.fromEntries(KEPT.map((key) => [key, values[key]]))));
    } catch {
      // private windows may refuse: then it holds for this visit
    }
    for (const listener of listeners) listener(name, value);
  },

  /** Call `listener(name, value)` after every change. */
  watch: (listener) => listeners.push(listener),
};
