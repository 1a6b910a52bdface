// A PNG file with straight alpha. A canvas would multiply colours with alpha first and lose them where alpha is low.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const CRCS = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** The checksum of PNG and ZIP. */
export function crc32(bytes) {
  let crc = ~0;
  for (let i = 0; i < bytes.length; i++) crc = CRCS[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** bytes: `channels` (1 grey, 3 colours, 4 with alpha) a pixel, top row first → Blob. */
export async function png(bytes, width, height, channels) {
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, { 1: 0, 3: 2, 4: 6 }[channels]], 8);
  const body = await deflated(filtered(bytes, width * channels, height, channels));
  const parts = [Uint8Array.from(SIGNATURE), chunk("IHDR", head), chunk("IDAT", body), chunk("IEND", new Uint8Array())];
  return new Blob(parts, { type: "image/png" });
}

/** Only some of four channels. */
export function channelsOf(rgba, count) {
  if (count === 4) return rgba;
  const pixels = rgba.length / 4;
  const some = new Uint8Array(pixels * count);
  for (let i = 0; i < pixels; i++) for (let c = 0; c < count; c++) some[i * count + c] = rgba[4 * i + c];
  return some;
}

/** Every row less its mean of left and upper neighbour (PNG's filter 3), which deflate likes. */
function filtered(bytes, stride, height, channels) {
  const out = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; y++) {
    const from = y * stride;
    const to = y * (stride + 1);
    out[to] = 3;
    for (let x = 0; x < stride; x++) {
      const left = x >= channels ? bytes[from + x - channels] : 0;
      const up = y ? bytes[from + x - stride] : 0;
      out[to + 1 + x] = bytes[from + x] - ((left + up) >> 1);
    }
  }
  return out;
}

async function deflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function chunk(name, body) {
  const whole = new Uint8Array(body.length + 12);
  const view = new DataView(whole.buffer);
  view.setUint32(0, body.length);
  whole.set([...name].map((letter) => letter.charCodeAt(0)), 4);
  whole.set(body, 8);
  view.setUint32(body.length + 8, crc32(whole.subarray(4, body.length + 8)));
  return whole;
}
