// Which engine serves which source, by what was chosen, what the browser can and what the server offers.

import { BrowserEngine } from "./browser-engine.js";
import { RtcEngine } from "./rtc-engine.js";
import { removeOnServer, SocketEngine } from "./server-engine.js";
import { settings } from "./settings.js";
import { Trouble } from "./source.js";

/** Stills on the server: one request each. */
class StillEngine {
  static where = "server";
  way = "HTTP";
  about = {};

  constructor(headers, limits) {
    Object.assign(this, { headers, limits });
  }

  async still({ source }) {
    const { cut, ms } = await removeOnServer(await source.forServer(this.limits), "", this.headers());
    return { cut, ms };
  }

  close() {}
}

export class Engines {
  /** told: {lost(trouble), progress(share)}. */
  constructor(config, backgrounds, told) {
    Object.assign(this, { config, backgrounds, told });
    const named = Object.fromEntries(config.models.map((model) => [model.name, model]));
    const still = named.koutu ?? config.models[0];
    this.models = { still, live: named["koutu-small"] ?? still };
    this.current = null; // {kind, engine}
    this.browserBroken = ""; // why the network does not run here
    this.webrtcBroken = false;
    this.token = "";
  }

  headers = () => (this.token ? { "X-Api-Key": this.token } : {});

  get where() {
    const choice = settings.get("engine");
    return choice === "auto" ? (this.browserBroken ? "server" : "browser") : choice;
  }

  /** The kind of engine for a source, as a text that changes when another engine is needed. */
  kind(source) {
    if (this.where === "browser") return `browser ${settings.get("place")}`;
    if (source?.kind === "picture") return "http";
    const { webrtc } = this.config.engines;
    const composite = this.backgrounds.forServer !== null;
    return source?.kind === "camera" && webrtc && composite && !this.webrtcBroken ? "rtc" : "socket";
  }

  /** The engine for a source: the current one if it will do, even if it is still starting. */
  async open(source) {
    const kind = this.kind(source);
    const same = this.current?.kind === kind && !this.current.engine?.closed;
    if (!same || (kind === "rtc" && this.current.source !== source)) this.begin(kind, source);
    const mine = this.current;
    const engine = await mine.starting;
    if (this.current !== mine) throw new DOMException("another engine was chosen meanwhile", "AbortError");
    return engine;
  }

  begin(kind, source) {
    this.close();
    const mine = (this.current = { kind, source, engine: null, left: false });
    mine.starting = this.start(kind, source).then(
      (engine) => {
        mine.engine = engine;
        if (mine.left) engine.close();
        return engine;
      },
      (error) => {
        if (mine.left) throw new DOMException("another engine was chosen meanwhile", "AbortError");
        throw error;
      },
    );
    mine.starting.catch(() => {}); // who waits for it is told
  }

  async start(kind, source) {
    const [where, place] = kind.split(" ");
    const lost = { lost: (trouble) => this.told.lost(trouble) };
    if (where === "browser") return BrowserEngine.start(this.models, place, this.told.progress);
    if (this.config.token_required && !this.token) throw new Trouble("tokenWrong");
    if (where === "http") return new StillEngine(this.headers, this.config.limits);
    if (where === "socket") return SocketEngine.start("", this.token, lost);
    try {
      return await RtcEngine.start(source, this.liveOptions(), this.headers(), lost);
    } catch (error) {
      if (error.key === "tokenWrong") throw error;
      this.webrtcBroken = true; // networks may let no WebRTC through where a WebSocket passes
      this.current.kind = "socket";
      return SocketEngine.start("", this.token, lost);
    }
  }

  /** What a WebRTC server must know; the page mirrors by itself. recording: the composite is wanted, whatever is seen. */
  liveOptions(recording = false) {
    const alpha = settings.get("view") === "alpha" && !recording;
    return { background: alpha ? "alpha" : this.backgrounds.forServer, mirror: false };
  }

  close() {
    if (!this.current) return;
    this.current.left = true;
    this.current.engine?.close();
    this.current = null;
  }
}
