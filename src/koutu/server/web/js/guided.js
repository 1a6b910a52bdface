// The straight lines alpha ≈ slope · luma + offset around each pixel of the network's alpha, by which it is brought to
// full size along the picture's own edges. Same method as koutu.matting.refine (after He and Sun, "Fast Guided Filter").

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
    this.across = plane();
    this.padded = new Float32Array(Math.max(width, height) + 2 * RADIUS);
    this.column = new Float32Array(width);
  }

  /** Slope and offset, interleaved, of `pha` over the luma of `rgb`. */
  of(pha, rgb) {
    const { guide, means, work } = this;
    const count = guide.length;
    luma(rgb, guide);
    this.mean(guide, means.guide);
    this.mean(pha, means.pha);
    for (let i = 0; i < count; i++) work[i] = guide[i] * pha[i];
    this.mean(work, means.product);
    for (let i = 0; i < count; i++) work[i] = guide[i] * guide[i];
    this.mean(work, means.square);
    for (let i = 0; i < count; i++) {
      const g = means.guide[i];
      work[i] = (means.product[i] - g * means.pha[i]) / (means.square[i] - g * g + EPS);
    }
    this.mean(work, means.product);
    for (let i = 0; i < count; i++) work[i] = pha[i] > SURE && pha[i] < 1 - SURE ? 1 : 0;
    this.mean(work, means.square);
    const lines = new Float32Array(2 * count);
    for (let i = 0; i < count; i++) {
      if (means.square[i] < 1e-3) continue; // nothing unsure nearby: plain pixels are then cheap to draw
      lines[2 * i] = means.product[i];
      lines[2 * i + 1] = -means.product[i] * guide[i];
    }
    return lines;
  }

  /** Mean of the square window, mirrored at the border. */
  mean(source, into) {
    const { width, height, across, padded, column } = this;
    const span = 2 * RADIUS + 1;
    for (let y = 0; y < height; y++) {
      const row = y * width;
      for (let x = -RADIUS; x < width + RADIUS; x++) padded[x + RADIUS] = source[row + mirrored(x, width)];
      let sum = 0;
      for (let x = 0; x < span - 1; x++) sum += padded[x];
      for (let x = 0; x < width; x++) {
        sum += padded[x + span - 1];
        across[row + x] = sum;
        sum -= padded[x];
      }
    }
    column.fill(0);
    for (let y = -RADIUS; y < RADIUS; y++) {
      const row = mirrored(y, height) * width;
      for (let x = 0; x < width; x++) column[x] += across[row + x];
    }
    const share = 1 / (span * span);
    for (let y = 0; y < height; y++) {
      const enters = mirrored(y + RADIUS, height) * width;
      const leaves = mirrored(y - RADIUS, height) * width;
      const row = y * width;
      for (let x = 0; x < width; x++) {
        column[x] += across[enters + x];
        into[row + x] = column[x] * share;
        column[x] -= across[leaves + x];
      }
    }
  }
}

/** The pixel that stands at `i` where a line of them is mirrored at both ends. */
export function mirrored(i, length) {
  if (i < 0) return Math.min(length - 1, -1 - i);
  return i < length ? i : Math.max(0, 2 * length - 1 - i);
}
