// The page: what is open, what runs it, and what the controls change.

import { Batch } from "./batch.js";
import { Backgrounds, isColour } from "./backgrounds.js";
import { Compositor } from "./compositor.js";
import { Engines } from "./engines.js";
import { figures } from "./figures.js";
import { tell, trouble, untell, whisper } from "./notices.js";
import { Pending } from "./pending.js";
import { Saving } from "./saving.js";
import { Session } from "./session.js";
import { Retouch } from "./retouch.js";
import { jpegByServer } from "./server-engine.js";
import { settings } from "./settings.js";
import { Governor, pixelsOf, SIZES } from "./sizing.js";
import { Camera, openFile, Picture, Trouble } from "./source.js";
import { Stage } from "./stage.js";
import { applyTheme, bindControls, drawControls, drawTransport } from "./controls.js";
import { say, speak } from "./words.js";

const $ = (id) => document.getElementById(id);
const RETRY_MS = 3000; // after the server was lost
const PASSING = ["serverLost", "serverFull"]; // troubles that may be over by then; what was refused is not sent again
const THIS_MACHINE = ["localhost", "127.0.0.1", "[::1]"];
const VEIL = 0.8; // of a file that waits for its result; what a camera sees is hidden wholly

class App {
  constructor(config) {
    this.config = config;
    this.compositor = new Compositor($("view"));
    $("view").addEventListener("webglcontextlost", () => trouble("cardLost"));
    this.stage = new Stage({
      changed: () => this.redraw(),
      sparing: this.compositor.imitated,
      tool: () => this.retouch,
      rim: () => this.mirrored(this.compositor.rim(this.session?.shown?.slot)),
    });
    this.session = new Session(this.compositor, () => this.look(), {
      matted: (frame) => this.retouch.apply(frame),
      shown: (frame, matte) => this.shown(frame, matte),
      failed: (error) => this.failed(error),
    });
    this.backgrounds = new Backgrounds(config.backgrounds, {
      setBehind: (bitmap) => {
        this.compositor.setBehind(bitmap, bitmap.width, bitmap.height);
        this.redraw();
      },
    });
    this.engines = new Engines(config, this.backgrounds, {
      lost: (error) => this.failed(error),
      progress: (share) => (this.progress = share),
    });
    this.governor = new Governor();
    this.pending = new Pending();
    this.saving = new Saving(this);
    this.retouch = new Retouch(this);
    this.batch = new Batch(this);
    this.source = null;
    this.turn = 0;
    this.state = "wait";
    settings.watch((name, value) => this.setting(name, value));
    bindControls(this);
    this.draw();
    this.showBackground();
    this.arrange();
    setInterval(() => this.drawFigures(), 500);
    this.saving.resume();
  }

  // What is open

  /** allowed: whether a picture that the browser cannot read may be sent to the server, to be made one that it can. */
  async openFile(file, allowed = false) {
    const limits = { largest: this.compositor.largest, asJpeg: this.asJpeg(allowed) };
    await this.attempt(() => openFile(file, limits), [["sendIt", () => this.openFile(file, true)]]);
  }

  asJpeg(allowed) {
    if (!allowed && this.engines.where !== "server" && !THIS_MACHINE.includes(location.hostname)) return null;
    return (file) => jpegByServer(file, this.engines.headers());
  }

  async openCamera(deviceId) {
    await this.attempt(() => Camera.open(deviceId), [["retry", () => this.openCamera(deviceId)]]);
    if (this.source?.kind !== "camera") return;
    this.source.lost = () => {
      this.close();
      trouble("cameraEnded", {}, [["retry", () => this.openCamera()]]);
    };
  }

  async openExample() {
    await this.attempt(async () => {
      const answer = await fetch("/web/example.jpg").catch(() => null);
      if (!answer?.ok) throw new Trouble("serverLost");
      const file = new File([await answer.blob()], "example.jpg", { type: "image/jpeg" });
      return Picture.open(file, { largest: this.compositor.largest });
    });
  }

  /** Open a source in place of the present one, or say why not and keep that. */
  async attempt(open, actions = []) {
    try {
      const source = await open();
      untell("cameraRefused", "cameraMissing", "cameraBusy", "cameraEnded", "fileUnknown", "pictureUnreadable", "videoUnreadable", "pictureNeedsServer");
      this.use(source);
      if (source.shrunk) tell("pictureShrunk", pixelSizes(source));
      whisper("figuresOpen", { name: source.file?.name ?? say("cameraShort"), width: source.size[0], height: source.size[1] });
    } catch (error) {
      if (!error.key) throw error;
      trouble(error.key, error.values, error.key.startsWith("camera") || error.key === "pictureNeedsServer" ? actions : []);
    }
  }

  use(source) {
    this.saving.stop();
    this.retouch.leave();
    this.source?.close();
    this.source = source;
    this.batch.opened(source);
    this.last = null;
    this.governor = new Governor();
    this.stage.setSize(source?.size ?? null);
    this.pending.again();
    this.session.start(source, null);
    this.turned(this.session.matted ? "matted" : "plain");
    if (source) $("view").focus({ preventScroll: true });
    this.draw();
    this.arrange();
  }

  close() {
    this.use(null);
    $("start-file").focus();
  }

  // What runs it

  /** Bring source and engine together, as they are now; the picture is shown meanwhile. */
  async arrange() {
    const turn = ++this.turn;
    clearTimeout(this.retry);
    const { source, engines, session } = this;
    session.pixels = this.pixels;
    this.state = "wait";
    this.progress = null;
    this.drawFigures();
    try {
      const nothing = !source && engines.where === "server"; // no connection is held for nothing
      const fits = engines.current?.engine && engines.current.kind === engines.kind(source) && source === session.source;
      if (nothing || !fits) session.start(source, null); // a new source is there already, and waits
      if (nothing) engines.close();
      const engine = nothing ? null : await engines.open(source);
      if (turn !== this.turn) return;
      untell("serverLost", "serverFull", "serverRefused", "serverSaid", "browserFailed", "engineFailed", "tokenWrong");
      this.state = engine?.constructor.where ?? "idle";
      this.drawFigures();
      session.start(source, engine);
      this.store(engine);
    } catch (error) {
      if (turn === this.turn && error.name !== "AbortError") this.failed(error);
    }
  }

  /** Fetch the network for stills too while there is time, so that all goes on if the server goes. */
  async store(engine) {
    if (!engine?.open || this.source) return;
    await engine.open(this.engines.models.still).catch(() => {});
    $("figures").dataset.stored = "";
  }

  /** An engine that cannot start or stopped: the other one where the choice is ours, words where it is the visitor's. */
  failed(error) {
    const where = this.engines.current?.kind?.split(" ")[0] === "browser" || (!error.key && this.engines.where === "browser");
    const reason = String(error.values?.reason ?? error.message ?? error).slice(0, 200);
    this.engines.close();
    this.state = "lost";
    this.drawFigures();
    if (where) return this.browserFailed(reason);
    if (settings.get("engine") === "auto" && !this.engines.browserBroken) return this.arrange();
    const passing = PASSING.includes(error.key ?? "serverLost");
    const actions = error.key === "tooLargeForServer" ? [] : [["retry", () => this.arrange()]];
    if (!this.engines.browserBroken) actions.push(["toBrowser", () => settings.set("engine", "browser")]);
    trouble(error.key ?? "serverLost", { reason }, actions);
    this.session.start(this.source, null);
    if (error.key === "tokenWrong") $("token").focus();
    else if (passing) this.retry = setTimeout(() => this.arrange(), Math.max(RETRY_MS, 1000 * (error.values?.seconds ?? 0)));
  }

  browserFailed(reason) {
    const started = this.engines.started;
    if (settings.get("engine") === "auto" && this.config.engines.websocket && !started) {
      this.engines.browserBroken = reason;
      tell("browserGone", { reason });
      this.draw();
      this.arrange();
      return;
    }
    trouble(started ? "engineFailed" : "browserFailed", { reason }, [
      ["retry", () => this.arrange()],
      ["toServer", () => settings.set("engine", "server")],
    ]);
    this.session.start(this.source, null);
  }

  /** Pixels the network is to see: as chosen, by the time it takes, or its own number for stills. */
  get pixels() {
    const size = settings.get("size");
    if (size !== "auto") return pixelsOf(size.split("x").map(Number));
    return this.source?.kind === "picture" ? null : pixelsOf(SIZES[this.governor.rung]);
  }

  shown(frame, matte) {
    this.stage.setSize(frame.size);
    this.saving.add(frame, matte);
    const state = this.session.matted ? "matted" : "plain";
    if ($("frame").dataset.state !== state) this.turned(state);
    if (this.retouch.on) this.retouch.draw();
    if (!matte) return;
    this.engines.started = true;
    this.last = { ms: matte.ms, size: matte.width ? [matte.width, matte.height] : null };
    if (frame.still) this.drawFigures();
    if (matte.width && !frame.still && !matte.fresh && settings.get("size") === "auto") this.govern(matte.ms);
  }

  /** A first result came, or there is none yet: what may be saved and what is awaited changes. */
  turned(state) {
    $("frame").dataset.state = state;
    this.saving.draw();
    this.retouch.draw();
    this.stage.dress(this.session.matted);
    this.drawFigures();
  }

  govern(ms) {
    const before = SIZES[this.governor.rung].join("×");
    const rung = this.governor.rung;
    if (this.governor.note(ms)) {
      this.session.pixels = this.pixels;
      const size = SIZES[this.governor.rung].join("×");
      tell(this.governor.rung < rung ? "slower" : "quicker", { ms: Math.round(ms), size, before });
    } else if (this.governor.exhausted && !this.toldSlow) {
      this.toldSlow = true;
      const actions = this.config.engines.websocket ? [["toServer", () => settings.set("engine", "server")]] : [];
      tell("tooSlow", {}, { actions });
    }
  }

  // What is shown

  look() {
    const style = getComputedStyle(document.documentElement);
    this.squares ??= ["--chequer-a", "--chequer-b"].map((name) => fromHex(style.getPropertyValue(name).trim()));
    return {
      view: settings.get("view"), window: this.stage.window, split: this.stage.split, mirror: this.mirror,
      background: this.backgrounds.look, squares: this.squares, square: 12 * (devicePixelRatio || 1),
      veil: this.source?.kind === "camera" ? 1 : VEIL,
    };
  }

  get mirror() {
    return this.source?.kind === "camera" && settings.get("mirror");
  }

  mirrored([x, y]) {
    return [this.mirror ? 1 - x : x, y];
  }

  redraw() {
    this.stage?.dress(this.session?.matted);
    this.session?.redraw();
  }

  async showBackground() {
    await this.backgrounds.show().catch(() => trouble("serverLost", {}, [["retry", () => this.showBackground()]]));
    this.redraw();
  }

  // What was changed

  setting(name) {
    const acts = {
      background: () => {
        this.showBackground();
        this.options();
      },
      strength: () => this.options(),
      view: () => this.options(),
      engine: () => this.arrange(),
      place: () => this.arrange(),
      size: () => {
        this.session.pixels = this.pixels;
        if (this.source?.kind === "picture" || this.source?.element?.paused) this.session.again();
      },
      language: () => {
        speak(settings.get("language"));
        this.batch.draw();
        this.backgrounds.draw();
      },
      theme: () => this.themed(),
    };
    acts[name]?.();
    this.draw();
    this.redraw();
  }

  /** Tell the server of another background or view; another engine may be needed for it. */
  options() {
    const { current } = this.engines;
    if (!current) return;
    if (current.kind !== this.engines.kind(this.source)) this.arrange();
    else current.engine?.want?.(this.engines.liveOptions(Boolean(this.saving.recorder)));
  }

  themed() {
    applyTheme();
    this.squares = null;
    this.redraw();
  }

  async takeBackground(file, allowed = false) {
    try {
      await this.backgrounds.take(file, this.asJpeg(allowed));
    } catch (error) {
      if (!error.key) throw error;
      const send = [["sendIt", () => this.takeBackground(file, true)]];
      trouble(error.key, error.values, error.key === "pictureNeedsServer" ? send : []);
    }
    this.showBackground();
  }

  draw() {
    drawControls(this);
    drawTransport(this);
    this.saving.draw();
    this.retouch.draw();
    this.drawFigures();
  }

  drawFigures() {
    figures(this);
    this.pending.draw(this);
  }
}

function pixelSizes({ size: [width, height], shrunk }) {
  return { width, height, before: shrunk.join(" × ") };
}

function fromHex(hex) {
  return isColour(hex) ? [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255) : [1, 1, 1];
}

async function begin() {
  applyTheme();
  speak(settings.get("language"));
  document.body.inert = true; // what is pressed before the controls are bound would be lost
  try {
    const answer = await fetch("/api/config");
    if (!answer.ok) throw new Error(String(answer.status));
    globalThis.koutu = new App(await answer.json());
  } catch (error) {
    trouble(error.message === "webgl2" ? "noWebgl" : "noConfig");
    if (error.message !== "webgl2") console.error(error);
  } finally {
    document.body.inert = false;
  }
}

begin();
