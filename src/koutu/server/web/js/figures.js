// The line that always tells where the network runs, on what, how fast, and how old a frame is when it is shown.

import { say, spoken } from "./words.js";

const $ = (id) => document.getElementById(id);

export function figures(app) {
  const { state, engines, session, source, last, progress } = app;
  const engine = engines?.current?.engine;
  $("figures").dataset.state = state;
  const words = { browser: "whereBrowser", server: "whereServer", idle: "whereIdle", lost: "serverGoneShort" };
  const waiting = progress === null || progress === undefined ? say("whereStarting") : say("whereLoading", { percent: Math.round(100 * progress) });
  $("where").textContent = state === "wait" ? waiting : say(words[state] ?? "whereIdle");
  $("detail").textContent = ["browser", "server"].includes(state) ? detail(state, engine, source, last) : "";
  const measured = source && state !== "wait" ? session?.meter.figures : null;
  const number = (value) => value.toLocaleString(spoken(), { maximumFractionDigits: value < 10 ? 1 : 0 });
  const still = source?.kind === "picture" && last && engine?.about;
  $("rate").textContent = measured ? say("fps", { fps: number(measured.fps) }) : "";
  const ms = measured?.latency ?? (still ? last.ms : null);
  $("latency").textContent = ms === null || ms === undefined ? "" : say("latency", { ms: Math.round(ms) });
  $("latency").title = say("latencyTitle");
}

function detail(state, engine, source, last) {
  if (state === "server") return engine?.way ?? "";
  const { on, threads } = engine?.about ?? {};
  if (!on) return "";
  const card = on === "webgpu" ? say("card") : say(threads > 1 ? "processor" : "processorOne", { threads });
  return source && last?.size ? `${card} · ${last.size.join("×")}` : card;
}
