// The network in a worker of its own, on WebGPU or WebAssembly, so that the page never stands still.

import { Stream } from "./stream.js";

const VENDOR = new URL("../vendor/ort/", import.meta.url).href;
const THREADS_MAX = 4; // beyond, these small layers get no faster
const sessions = new Map(); // network's name → its session and stream
let ort = null;
let provider = "";

const work = {
  /** Load the runtime for "webgpu" or "wasm"; → how it runs. */
  async start({ on }) {
    provider = on;
    ort = await import(`${VENDOR}ort.${on}.min.mjs`);
    // Threads that wait for one another in a loop must not have the page's own core.
    const half = Math.ceil((navigator.hardwareConcurrency || 1) / 2);
    const threads = self.crossOriginIsolated ? Math.min(THREADS_MAX, half) : 1;
    ort.env.wasm.wasmPaths = VENDOR;
    ort.env.wasm.numThreads = on === "wasm" ? threads : 1;
    ort.env.logLevel = "error";
    return { on, threads: ort.env.wasm.numThreads };
  },

  /** Load a network, described as in /api/config. */
  async open({ model, bytes }) {
    if (sessions.has(model.name)) return {};
    const session = await ort.InferenceSession.create(bytes, {
      executionProviders: [provider], graphOptimizationLevel: "all", logSeverityLevel: 3,
    });
    const [[memory, alpha]] = Object.entries(model.states);
    const run = async (rgb, prev, width, height) => {
      const feeds = {
        rgb: new ort.Tensor("uint8", rgb, [1, height, width, 3]),
        [memory]: new ort.Tensor("float32", prev, [1, 1, height, width]),
      };
      const results = await session.run(feeds);
      const pha = new Float32Array(results[alpha].data); // the runtime may use its own memory again
      for (const tensor of Object.values(results)) tensor.dispose();
      return pha;
    };
    sessions.set(model.name, new Stream(run));
    return {};
  },

  /** Forget the past of a network's stream. */
  async reset({ name }) {
    sessions.get(name)?.reset();
    return {};
  },

  async matte({ name, rgba, width, height, seconds }) {
    const started = performance.now();
    const matte = await sessions.get(name).matte(new Uint8Array(rgba), width, height, seconds);
    return { ...matte, width, height, ms: performance.now() - started };
  },
};

self.onmessage = async ({ data: { id, task, ...options } }) => {
  try {
    const answer = await work[task](options);
    const moved = task === "matte" ? [answer.alpha.buffer, answer.lines.buffer] : [];
    self.postMessage({ id, answer }, moved);
  } catch (error) {
    self.postMessage({ id, error: String(error?.message ?? error) });
  }
};
