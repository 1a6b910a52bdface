"""The packaged network on WebGPU answers as on WebAssembly; a minute by a software card, so only if asked for."""

import os

import pytest

pytest.importorskip("playwright")
pytest.importorskip("fastapi")

from support.browser import CHROMIUM, Server, chromium

if not CHROMIUM or not os.environ.get("KOUTU_WEBGPU"):
    pytest.skip("slow: KOUTU_WEBGPU=1 runs it, in Chromium", allow_module_level=True)

CARD = (
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
)
# A bright disc before a patterned wall, thrice with the network's own memory, by both; → the largest differences.
COMPARE = """
async ([vendor, network, width, height]) => {
  if (!(await navigator.gpu?.requestAdapter())) return null;
  const rgb = new Uint8Array(3 * width * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 3) {
      const inside = Math.hypot((x - width / 2) / (0.2 * width), (y - 0.55 * height) / (0.4 * height)) < 1;
      rgb.set(inside ? [210, 160, 140] : [60 + ((7 * x) % 40), 80 + ((5 * y) % 40), 110], i);
    }
  }
  const found = {};
  for (const on of ["wasm", "webgpu"]) {
    const ort = await import(`${vendor}ort.${on}.min.mjs`);
    ort.env.wasm.wasmPaths = vendor;
    ort.env.wasm.numThreads = 1;
    const session = await ort.InferenceSession.create(network, { executionProviders: [on] });
    let prev = new Float32Array(width * height);
    found[on] = [];
    for (let frame = 0; frame < 3; frame++) {
      const feeds = {
        rgb: new ort.Tensor("uint8", rgb, [1, height, width, 3]),
        prev: new ort.Tensor("float32", prev, [1, 1, height, width]),
      };
      prev = new Float32Array(await (await session.run(feeds)).pha.getData());
      found[on].push(prev);
    }
  }
  const largest = (a, b) => a.reduce((most, value, k) => Math.max(most, Math.abs(value - b[k])), 0);
  return found.wasm.map((alpha, i) => largest(alpha, found.webgpu[i]));
}
"""


def test_alpha_by_webgpu_is_that_of_webassembly():
    server = Server()
    try:
        with chromium(*CARD) as browser:
            page = browser.new_page()
            page.set_default_timeout(600_000)
            page.goto(server.url)
            vendor, network = f"{server.url}web/vendor/ort/", f"{server.url}models/koutu-small.onnx"
            differences = page.evaluate(COMPARE, [vendor, network, 256, 144])
    finally:
        server.stop()
    assert differences is not None, "Chromium offers no WebGPU here"
    assert max(differences) < 0.005
