// One stream's memory: the previous alpha, and when it must be forgotten. Same rules as koutu.matting.matter.Matter.

import { Colours } from "./colours.js";
import { Lines } from "./guided.js";

const MAX_GAP = 1; // seconds
const CUT_DIFFERENCE = 28; // mean change of a thumbnail, of 255, that no motion in a shot reaches
const [THUMB_WIDTH, THUMB_HEIGHT] = [32, 18];

/** `run(rgb, prev, width, height) → Promise<Float32Array>` is the network. */
export class Stream {
  constructor(run) {
    this.run = run;
    this.reset();
  }

  reset() {
    this.last = null;
    this.prev = null;
  }

  /**
   * rgba: Uint8Array of width × height, seconds: when it was taken.
   * → {alpha: Uint8Array, lines: Float32Array, fresh: whether memory started afresh}
   */
  async matte(rgba, width, height, seconds) {
    const rgb = withoutFourth(rgba, width * height);
    const thumb = thumbnail(rgb, width, height);
    const fresh = this.startsShot(thumb, width, height, seconds);
    if (fresh) {
      // A network with a memory sees more when it looks twice.
      this.prev = await this.run(rgb, new Float32Array(width * height), width, height);
      if (this.last?.width !== width || this.last?.height !== height) {
        this.colours = new Colours(width, height);
        this.lines = new Lines(width, height);
      }
    }
    this.prev = await this.run(rgb, this.prev, width, height);
    this.last = { thumb, width, height, seconds };
    const pha = this.colours.follow(this.prev, rgb);
    return { alpha: quantised(pha), lines: this.lines.of(pha, rgb), fresh };
  }

  startsShot(thumb, width, height, seconds) {
    const last = this.last;
    if (!last || !this.prev || last.width !== width || last.height !== height) return true;
    const gap = seconds - last.seconds;
    if (!(gap > 0 && gap <= MAX_GAP)) return true;
    let sum = 0;
    for (let i = 0; i < thumb.length; i++) sum += Math.abs(thumb[i] - last.thumb[i]);
    return sum / thumb.length > CUT_DIFFERENCE;
  }
}

function withoutFourth(rgba, count) {
  const rgb = new Uint8Array(3 * count);
  for (let i = 0, j = 0, end = 3 * count; i < end; i += 3, j += 4) {
    rgb[i] = rgba[j];
    rgb[i + 1] = rgba[j + 1];
    rgb[i + 2] = rgba[j + 2];
  }
  return rgb;
}

function quantised(pha) {
  const alpha = new Uint8Array(pha.length);
  for (let i = 0; i < pha.length; i++) alpha[i] = Math.min(255, Math.max(0, pha[i] * 255)) + 0.5;
  return alpha;
}

/** Mean colours of 32 × 18 cells. */
function thumbnail(rgb, width, height) {
  const sums = new Float32Array(3 * THUMB_WIDTH * THUMB_HEIGHT);
  const counts = new Float32Array(THUMB_WIDTH * THUMB_HEIGHT);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * THUMB_HEIGHT) / height) * THUMB_WIDTH;
    for (let x = 0; x < width; x++) {
      const cell = row + Math.floor((x * THUMB_WIDTH) / width);
      const at = 3 * (y * width + x);
      counts[cell]++;
      for (let c = 0; c < 3; c++) sums[3 * cell + c] += rgb[at + c];
    }
  }
  return sums.map((sum, i) => sum / Math.max(1, counts[Math.floor(i / 3)]));
}
