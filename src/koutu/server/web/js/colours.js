// An outline brought to where the colours on both sides of it say it is: the same method, step by step, as
// koutu.matting.local_colour. All planes are at half the network's size until the last line of each step.

import { mirrored } from "./guided.js";

const WINDOW = 4; // radius in which person and background are told apart, in pixels of the halved picture
const LINE_WINDOW = 2; // radius in which alpha is a straight line of colour
const [COLOURS, PRIOR] = [1.5, 1.5]; // what the log-odds of the colours, and of the network's alpha, count
const NOISE = 1e-3; // variance of colours in [0, 1] that two means must stand out of
const LINE_NOISE = 1e-4; // variance of colours below which a small window is taken for plain
const TRUST = 2; // what colour explains of a small window's alpha, times this, is how far its line counts
const HAZE = 0.05; // alpha within this of 0 or 1 is what the lines leave of a side that is sure
const UNSURE = 0.02; // of a window: less of either is noise
const LEAST = 0.01; // that the network's alpha is from 0 and 1 when its odds are taken
const PAIRS = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]];

/** Buffers for pictures of one size, both sides even. */
export class Colours {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.halfWidth = width / 2;
    this.halfHeight = height / 2;
    const plane = () => new Float32Array((width * height) / 4);
    const planes = (count) => Array.from({ length: count }, plane);
    this.half = plane();
    this.share = plane();
    this.work = plane();
    this.across = new Float64Array((width * height) / 4); // running sums
    this.column = new Float64Array(this.halfWidth);
    this.seen = planes(3);
    this.products = planes(6);
    this.means = { seen: planes(3), products: planes(6), ofPerson: planes(3), half: plane(), square: plane() };
    this.lines = planes(5); // three slopes, the offset, and how far the line is trusted
    this.unsure = new Uint8Array((width * height) / 4);
  }

  /** Alpha (a new array) of `pha` in [0, 1] whose outline the colours of `rgb` (3 bytes a pixel) agree on. */
  follow(pha, rgb) {
    this.see(rgb);
    const decided = pha.slice();
    if (!this.decide(decided, rgb)) return decided;
    return this.onLines(decided, rgb);
  }

  see(rgb) {
    const { width, halfWidth, halfHeight, seen, products } = this;
    for (let y = 0, at = 0; y < halfHeight; y++) {
      for (let x = 0; x < halfWidth; x++, at++) {
        const from = 3 * (2 * y * width + 2 * x);
        for (let c = 0; c < 3; c++) {
          const i = from + c;
          seen[c][at] = ((rgb[i] + rgb[i + 3] + rgb[i + 3 * width] + rgb[i + 3 * width + 3] + 2) >> 2) / 255;
        }
        PAIRS.forEach(([i, j], k) => (products[k][at] = seen[i][at] * seen[j][at]));
      }
    }
  }

  halve(pha) {
    const { width, halfWidth, halfHeight, half } = this;
    for (let y = 0, at = 0; y < halfHeight; y++) {
      for (let x = 0; x < halfWidth; x++, at++) {
        const i = 2 * y * width + 2 * x;
        half[at] = (pha[i] + pha[i + 1] + pha[i + width] + pha[i + width + 1]) / 4;
      }
    }
  }

  /** Marks where the share of person in windows of this radius is neither `least` nor all but it; how many. */
  mark(radius, least) {
    const { half, share, unsure } = this;
    this.mean(half, share, radius);
    let count = 0;
    for (let i = 0; i < half.length; i++) count += unsure[i] = share[i] > least && share[i] < 1 - least ? 1 : 0;
    return count;
  }

  meansOf(radius) {
    const { half, seen, products, means, work } = this;
    for (let c = 0; c < 3; c++) {
      this.mean(seen[c], means.seen[c], radius);
      for (let i = 0; i < half.length; i++) work[i] = seen[c][i] * half[i];
      this.mean(work, means.ofPerson[c], radius);
    }
    for (let k = 0; k < 6; k++) this.mean(products[k], means.products[k], radius);
  }

  /** Each unsure pixel of `pha`, in place, to the side whose colour it has; whether there were any. */
  decide(pha, rgb) {
    const { share, unsure, means, lines } = this;
    this.halve(pha);
    if (!this.mark(WINDOW, UNSURE)) return false;
    this.meansOf(WINDOW);
    for (const plane of lines) plane.fill(0);
    const [person, behind, covariance] = [[0, 0, 0], [0, 0, 0], [0, 0, 0, 0, 0, 0]];
    for (let i = 0; i < unsure.length; i++) {
      if (!unsure[i]) continue;
      const s = share[i];
      for (let c = 0; c < 3; c++) {
        person[c] = means.ofPerson[c][i] / s;
        behind[c] = (means.seen[c][i] - means.ofPerson[c][i]) / (1 - s);
      }
      PAIRS.forEach(([a, b], k) => {
        const within = means.products[k][i] - s * person[a] * person[b] - (1 - s) * behind[a] * behind[b];
        covariance[k] = within + (a === b ? NOISE : 0);
      });
      const slope = solved(covariance, person.map((value, c) => value - behind[c]));
      for (let c = 0; c < 3; c++) {
        lines[c][i] = slope[c];
        lines[3][i] -= (slope[c] * (person[c] + behind[c])) / 2;
      }
    }
    this.at(rgb, (i, odds) => {
      const given = Math.min(1 - LEAST, Math.max(LEAST, pha[i]));
      const total = COLOURS * odds + PRIOR * Math.log(given / (1 - given));
      pha[i] = 1 / (1 + Math.exp(-Math.min(30, Math.max(-30, total))));
    });
    return true;
  }

  onLines(pha, rgb) {
    const { half, unsure, means, lines, work } = this;
    this.halve(pha);
    this.mark(2 * LINE_WINDOW + 1, UNSURE / 5);
    this.meansOf(LINE_WINDOW);
    this.mean(half, means.half, LINE_WINDOW);
    for (let i = 0; i < half.length; i++) work[i] = half[i] * half[i];
    this.mean(work, this.means.square, LINE_WINDOW);
    const [covariance, right] = [[0, 0, 0, 0, 0, 0], [0, 0, 0]];
    for (let i = 0; i < unsure.length; i++) {
      if (!unsure[i]) {
        for (const plane of lines) plane[i] = 0;
        lines[3][i] = half[i];
        continue;
      }
      PAIRS.forEach(([a, b], k) => {
        const within = means.products[k][i] - means.seen[a][i] * means.seen[b][i];
        covariance[k] = within + (a === b ? LINE_NOISE : 0);
      });
      for (let c = 0; c < 3; c++) right[c] = means.ofPerson[c][i] - means.seen[c][i] * means.half[i];
      const slope = solved(covariance, right);
      lines[3][i] = means.half[i];
      let explained = 0;
      for (let c = 0; c < 3; c++) {
        lines[c][i] = slope[c];
        lines[3][i] -= slope[c] * means.seen[c][i];
        explained += slope[c] * right[c];
      }
      explained /= means.square[i] - means.half[i] * means.half[i] + LINE_NOISE;
      lines[4][i] = Math.min(1, Math.max(0, TRUST * explained));
    }
    for (const plane of lines) {
      this.mean(plane, work, LINE_WINDOW);
      plane.set(work);
    }
    this.at(rgb, (i, value, trust) => {
      pha[i] += trust * (Math.min(1, Math.max(0, (value - HAZE) / (1 - 2 * HAZE))) - pha[i]);
    });
    return pha;
  }

  /** `use(pixel, slope · colour + offset, trust)` for every pixel of the whole picture whose half is unsure. */
  at(rgb, use) {
    const { width, height, halfWidth, halfHeight, lines, unsure } = this;
    const found = [0, 0, 0, 0, 0];
    for (let y = 0; y < height; y++) {
      const [top, down] = between(y, halfHeight);
      const bottom = Math.min(top + 1, halfHeight - 1);
      for (let x = 0; x < width; x++) {
        if (!unsure[(y >> 1) * halfWidth + (x >> 1)]) continue;
        const [left, along] = between(x, halfWidth);
        const right = Math.min(left + 1, halfWidth - 1);
        const i = y * width + x;
        const [nw, ne] = [top * halfWidth + left, top * halfWidth + right];
        const [sw, se] = [bottom * halfWidth + left, bottom * halfWidth + right];
        for (let c = 0; c < 5; c++) {
          const plane = lines[c];
          const above = plane[nw] + (plane[ne] - plane[nw]) * along;
          found[c] = above + (plane[sw] + (plane[se] - plane[sw]) * along - above) * down;
        }
        const value = found[3] + (found[0] * rgb[3 * i] + found[1] * rgb[3 * i + 1] + found[2] * rgb[3 * i + 2]) / 255;
        use(i, value, found[4]);
      }
    }
  }

  /** Mean of the square window, mirrored at the border. */
  mean(source, into, radius) {
    const { halfWidth: width, halfHeight: height, across, column } = this;
    for (let y = 0; y < height; y++) {
      const row = y * width;
      let sum = 0;
      for (let x = -radius; x < radius; x++) sum += source[row + mirrored(x, width)];
      for (let x = 0; x < width; x++) {
        sum += source[row + mirrored(x + radius, width)];
        across[row + x] = sum;
        sum -= source[row + mirrored(x - radius, width)];
      }
    }
    column.fill(0);
    for (let y = -radius; y < radius; y++) {
      const row = mirrored(y, height) * width;
      for (let x = 0; x < width; x++) column[x] += across[row + x];
    }
    const share = 1 / (2 * radius + 1) ** 2;
    for (let y = 0; y < height; y++) {
      const enters = mirrored(y + radius, height) * width;
      const leaves = mirrored(y - radius, height) * width;
      for (let x = 0; x < width; x++) {
        column[x] += across[enters + x];
        into[y * width + x] = column[x] * share;
        column[x] -= across[leaves + x];
      }
    }
  }
}

/** Which halved pixel is before a whole one, and how far it is towards the next. */
function between(i, length) {
  const place = Math.min(Math.max((i + 0.5) / 2 - 0.5, 0), length - 1);
  const before = Math.floor(place);
  return [before, place - before];
}

/** Three equations of a symmetric matrix, of which six entries are given. */
function solved([xx, xy, xz, yy, yz, zz], [x, y, z]) {
  const [a, b, c] = [yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy];
  const [d, e, f] = [xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy];
  const whole = xx * a + xy * b + xz * c;
  return [(a * x + b * y + c * z) / whole, (b * x + d * y + e * z) / whole, (c * x + e * y + f * z) / whole];
}
