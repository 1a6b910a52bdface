// The straight lines alpha ≈ slope · luma + offset around each pixel of the network's alpha, by which it is brought to
// full size along the picture's own edges. Same method as koutu.matting.refine (after He and Sun, "Fast Guided Filter").

import { Box } from "./box.js";

const RADIUS = 2; // of the window, in the small alpha's pixels
const SURE = 5 / 255; // an alpha this near to either end is left as it is
const EPS = 1e-3; // contrast, as a variance of luma in [0, 1], below which a window is taken for plain

/** Luma in [0, 1] of `rgb` (3 bytes a pixel). */
export function luma(rgb, into) {
  for (let i = 0, j = 0; i < into.length; i++, j += 3) {
    into[i] = (0.299 * rgb[j] + 0.587 * rgb[j + 1] + 0.114 * rgb[j + 2]) / 255;
  }
  return into;
}

/** Buffers for pictures of one size, and the lines of each. */
export class Lines {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    const plane = () => new Float32Array(width * height);
    this.guide = plane();
    this.means = { guide: plane(), pha: plane(), product: plane(), square: plane() };
    this.work = plane();
    this.box = new Box(width, height);
  }

  /** Slope and offset, interleaved, of `pha` over the luma of `rgb`. */
  of(pha, rgb) {
    const { guide, means, work, box } = this;
    const count = guide.length;
    luma(rgb, guide);
    box.mean(guide, means.guide, RADIUS);
    box.mean(pha, means.pha, RADIUS);
    for (let i = 0; i < count; i++) work[i] = guide[i] * pha[i];
    box.mean(work, means.product, RADIUS);
    for (let i = 0; i < count; i++) work[i] = guide[i] * guide[i];
    box.mean(work, means.square, RADIUS);
    for (let i = 0; i < count; i++) {
      const g = means.guide[i];
      work[i] = (means.product[i] - g * means.pha[i]) / (means.square[i] - g * g + EPS);
    }
    box.mean(work, means.product, RADIUS);
    for (let i = 0; i < count; i++) work[i] = pha[i] > SURE && pha[i] < 1 - SURE ? 1 : 0;
    box.mean(work, means.square, RADIUS);
    const lines = new Float32Array(2 * count);
    for (let i = 0; i < count; i++) {
      if (means.square[i] < 1e-3) continue; // nothing unsure nearby: plain pixels are then cheap to draw
      lines[2 * i] = means.product[i];
      lines[2 * i + 1] = -means.product[i] * guide[i];
    }
    return lines;
  }
}
