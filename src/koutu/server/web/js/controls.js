// Buttons, keys, drops and menus, tied to the app; and how they look for what is open and chosen.

import { settings } from "./settings.js";
import { SIZES } from "./sizing.js";
import { Camera } from "./source.js";
import { say } from "./words.js";

const $ = (id) => document.getElementById(id);
const THEMES = ["auto", "light", "dark"];

export function applyTheme() {
  const theme = settings.get("theme");
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function bindControls(app) {
  bindFiles(app);
  bindTransport(app);
  const click = (id, act) => $(id).addEventListener("click", act);
  click("start-camera", () => app.openCamera());
  click("open-camera", () => app.openCamera());
  click("start-example", () => app.openExample());
  click("close", () => app.close());
  click("language", () => settings.set("language", settings.get("language") === "zh" ? "en" : "zh"));
  click("theme", () => settings.set("theme", THEMES[(THEMES.indexOf(settings.get("theme")) + 1) % THEMES.length]));
  for (const name of ["view", "engine"]) {
    for (const input of document.querySelectorAll(`input[name=${name}]`)) {
      input.addEventListener("change", () => settings.set(name, input.value));
    }
  }
  for (const name of ["size", "place"]) $(name).addEventListener("change", () => settings.set(name, $(name).value));
  $("strength").addEventListener("input", () => settings.set("strength", Number($("strength").value)));
  for (const name of ["mirror", "sound"]) $(name).addEventListener("change", () => settings.set(name, $(name).checked));
  $("token-row").addEventListener("submit", (event) => event.preventDefault());
  $("token").addEventListener("change", () => {
    app.engines.token = $("token").value.trim();
    app.arrange();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => app.themed());
  app.backgrounds.draw();
}

function bindFiles(app) {
  for (const id of ["start-file", "open-file"]) $(id).addEventListener("click", () => $("file").click());
  const picked = (id, take) => {
    $(id).addEventListener("change", () => {
      const files = [...$(id).files];
      $(id).value = ""; // the same file may be picked again
      if (files.length) take(files);
    });
  };
  picked("file", (files) => app.batch.take(files));
  picked("upload", ([file]) => app.takeBackground(file));
  let depth = 0;
  const veil = (change) => {
    depth = Math.max(0, depth + change);
    $("veil").hidden = !depth;
    $("backgrounds").classList.toggle("aim", depth > 0);
  };
  const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => files(event) && veil(1));
  addEventListener("dragleave", (event) => files(event) && veil(-1));
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    veil(-depth);
    const dropped = [...event.dataTransfer.files];
    if (dropped.length && $("backgrounds").contains(event.target)) app.takeBackground(dropped[0]);
    else if (dropped.length) app.batch.take(dropped);
  });
  addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])];
    if (pasted.length) app.batch.take(pasted);
  });
}

function bindTransport(app) {
  $("play").addEventListener("click", async () => {
    const { element } = app.source;
    if (element.paused) await element.play();
    else element.pause();
    drawTransport(app);
  });
  $("seek").addEventListener("input", () => {
    app.source.element.currentTime = Number($("seek").value) * app.source.element.duration;
  });
  $("cameras").addEventListener("change", () => app.openCamera($("cameras").value));
  setInterval(() => drawTime(app.source), 250);
}

/** Choices as they are, words in the language that is spoken. */
export function drawControls(app) {
  for (const name of ["view", "engine"]) {
    for (const input of document.querySelectorAll(`input[name=${name}]`)) input.checked = input.value === settings.get(name);
  }
  const size = settings.get("size");
  const sizes = [["auto", say("sizeAuto")], ...SIZES.map(([w, h]) => [`${w}x${h}`, `${w} × ${h}`])];
  $("size").replaceChildren(...sizes.map(([value, text]) => new Option(text, value, false, value === size)));
  $("place").value = settings.get("place");
  $("strength").value = settings.get("strength");
  $("strength-row").hidden = settings.get("background") !== "blur";
  const here = app.engines?.where !== "server";
  $("size-row").hidden = $("place-row").hidden = !here;
  $("token-row").hidden = !app.config.token_required;
  $("privacy").textContent = say(here ? "privacyBrowser" : "privacyServer", { host: location.host });
  $("privacy").parentElement.classList.toggle("sent", !here);
  $("language").textContent = say("languageOther");
  $("language").lang = settings.get("language") === "zh" ? "en" : "zh-Hans";
  const theme = say("themeLabel", { theme: say(settings.get("theme")) });
  $("theme").setAttribute("aria-label", theme);
  $("theme").title = theme;
  for (const input of $("tiles").querySelectorAll("input[type=radio]")) {
    input.checked = input.value === settings.get("background");
  }
}

export function drawTransport(app) {
  const { source } = app;
  const moving = source && source.kind !== "picture";
  $("play").hidden = !moving;
  for (const id of ["seek", "time"]) $(id).hidden = source?.kind !== "video";
  for (const name of ["mirror", "sound"]) {
    $(`${name}-label`).hidden = source?.kind !== "camera";
    $(name).checked = settings.get(name);
  }
  if (moving) {
    const word = source.element.paused ? "play" : "pause";
    $("play").setAttribute("aria-label", say(word));
    $("play").title = say(word);
    $("play").querySelector("use").setAttribute("href", `/web/icons.svg#${word}`);
  }
  if (source?.kind === "camera") drawCameras(source);
  else $("cameras").hidden = true;
}

async function drawCameras(source) {
  const cameras = await Camera.list();
  $("cameras").hidden = cameras.length < 2;
  const option = ({ label, deviceId }, i) =>
    new Option(label || `${say("cameraPick")} ${i + 1}`, deviceId, false, deviceId === source.deviceId);
  $("cameras").replaceChildren(...cameras.map(option));
}

function drawTime(source) {
  if (source?.kind !== "video" || !source.element.duration) return;
  const { currentTime, duration } = source.element;
  if (document.activeElement !== $("seek") || !source.element.paused) $("seek").value = currentTime / duration;
  const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
  $("time").textContent = `${clock(currentTime)} / ${clock(duration)}`;
}
