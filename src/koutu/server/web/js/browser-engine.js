// The network on this machine: nothing of the picture leaves the browser.

import { networkSize } from "./sizing.js";

const PATIENCE_MS = 30_000; // for a place to run before the next one is tried

/** A worker whose tasks are awaited like functions. */
class Remote {
  constructor(url) {
    this.waiting = new Map();
    this.count = 0;
    this.worker = new Worker(url, { type: "module" });
    this.worker.onmessage = ({ data: { id, answer, error } }) => {
      const { resolve, reject } = this.waiting.get(id) ?? {};
      this.waiting.delete(id);
      if (error !== undefined) reject?.(new Error(error));
      else resolve?.(answer);
    };
    this.worker.onerror = (event) => this.fail(event.message || "the worker could not be loaded");
  }

  ask(task, options = {}, moved = []) {
    return new Promise((resolve, reject) => {
      const id = ++this.count;
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, task, ...options }, moved);
    });
  }

  fail(reason) {
    for (const { reject } of this.waiting.values()) reject(new Error(reason));
    this.waiting.clear();
  }

  close() {
    this.worker.terminate();
    this.fail("closed");
  }
}

/** Where the network can run here, best first: a real graphics card, the processor, a card that is only imitated. */
export async function placesToRun(choice = "auto") {
  if (choice !== "auto") return [choice];
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  const imitated = adapter && (adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
  if (!adapter) return ["wasm"];
  return imitated ? ["wasm", "webgpu"] : ["webgpu", "wasm"];
}

export class BrowserEngine {
  static where = "browser";

  /** An engine that has run once; tries what `placesToRun` says, and throws the last error when nothing runs. */
  static async start(models, choice, tell) {
    let last = null;
    const places = await placesToRun(choice);
    for (const [i, on] of places.entries()) {
      const engine = new BrowserEngine(models);
      const late = i < places.length - 1 ? setTimeout(() => engine.remote.fail("it took too long"), PATIENCE_MS) : 0;
      try {
        await engine.warmUp(on, tell);
        clearTimeout(late);
        return engine;
      } catch (error) {
        clearTimeout(late);
        engine.close();
        last = error;
      }
    }
    throw last;
  }

  /** Load what is needed and look once, which compiles what must be compiled. */
  async warmUp(on, tell) {
    this.about = await this.remote.ask("start", { on });
    await this.open(this.models.live, tell);
    tell(null);
    const { name } = this.models.live;
    await this.remote.ask("matte", { name, rgba: new ArrayBuffer(4 * 64 * 64), width: 64, height: 64, seconds: 0 });
    await this.reset();
  }

  constructor(models) {
    this.models = models; // {live, still}
    this.opened = new Set();
    this.stills = Promise.resolve(); // settles when the last one that was asked for is done
    this.remote = new Remote(new URL("./engine.worker.js", import.meta.url));
  }

  async open(model, tell = () => {}) {
    if (this.opened.has(model.name)) return;
    const bytes = await download(model.url, model.bytes, tell);
    await this.remote.ask("open", { model, bytes }, [bytes]);
    this.opened.add(model.name);
  }

  /** Forget the stream's past. */
  async reset() {
    for (const name of this.opened) await this.remote.ask("reset", { name });
  }

  /** A still picture, looked at by the larger network, one at a time; → as `matte`. */
  still(frame, pixels) {
    const mine = this.stills.then(() => this.alone(frame, pixels));
    this.stills = mine.catch(() => {});
    return mine;
  }

  async alone(frame, pixels) {
    await this.open(this.models.still);
    await this.remote.ask("reset", { name: this.models.still.name });
    return this.look(this.models.still, frame, pixels ?? this.models.still.pixels);
  }

  /** frame: {seconds, size: [w, h], pixels(w, h) → RGBA bytes}; → {alpha, lines, width, height, ms, fresh}. */
  matte(frame, pixels) {
    return this.look(this.models.live, frame, pixels ?? this.models.live.pixels);
  }

  look(model, frame, pixels) {
    const [width, height] = networkSize(pixels, model.stride, frame.size);
    const rgba = frame.pixels(width, height).buffer;
    return this.remote.ask("matte", { name: model.name, rgba, width, height, seconds: frame.seconds }, [rgba]);
  }

  close() {
    this.remote.close();
  }
}

async function download(url, size, tell) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  const parts = [];
  let got = 0;
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    got += value.length;
    tell(Math.min(1, got / size));
  }
  return new Blob(parts).arrayBuffer();
}
