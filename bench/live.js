// Run by bench/live.py in a worker of the page's origin: networks in turn, milliseconds a frame each.

/** jobs: [{name, url, kind: "koutu" or "selfie", width, height}]; → {name: [[ms, …] a round]}. */
async function rounds(ort, jobs, count, frames) {
  const runs = {};
  for (const job of jobs) runs[job.name] = await prepared(ort, job);
  const times = Object.fromEntries(jobs.map(({ name }) => [name, []]));
  for (let round = 0; round <= count; round++) {
    for (const { name } of round % 2 ? jobs : [...jobs].reverse()) {
      const row = [];
      for (let frame = 0; frame < frames; frame++) {
        const started = performance.now();
        await runs[name]();
        row.push(performance.now() - started);
      }
      if (round) times[name].push(row); // the first is to warm up
    }
  }
  return times;
}

/** From RGBA bytes to alpha in a Float32Array, as the page does it; only the network differs. */
async function prepared(ort, { url, kind, width, height }) {
  const session = await ort.InferenceSession.create(url, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  const count = width * height;
  const rgba = Uint8Array.from({ length: 4 * count }, (_, i) => (i * 37) % 251);
  let prev = new Float32Array(count);
  return async () => {
    const rgb = kind === "koutu" ? new Uint8Array(3 * count) : new Float32Array(3 * count);
    const scale = kind === "koutu" ? 1 : 1 / 255;
    for (let i = 0, j = 0; i < rgb.length; i += 3, j += 4) {
      rgb[i] = rgba[j] * scale;
      rgb[i + 1] = rgba[j + 1] * scale;
      rgb[i + 2] = rgba[j + 2] * scale;
    }
    const tensor = new ort.Tensor(kind === "koutu" ? "uint8" : "float32", rgb, [1, height, width, 3]);
    const memory = new ort.Tensor("float32", prev, [1, 1, height, width]);
    const feeds = kind === "koutu" ? { rgb: tensor, prev: memory } : { [session.inputNames[0]]: tensor };
    const answer = await session.run(feeds);
    prev = new Float32Array(answer[session.outputNames[0]].data);
  };
}

self.onmessage = async ({ data: { vendor, threads, jobs, count, frames } }) => {
  try {
    const ort = await import(`${vendor}ort.wasm.min.mjs`);
    ort.env.wasm.wasmPaths = vendor;
    ort.env.wasm.numThreads = threads;
    self.postMessage({ times: await rounds(ort, jobs, count, frames) });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};
