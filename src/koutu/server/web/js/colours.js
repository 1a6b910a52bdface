// An outline brought to where the colours on both sides of it say it is: the same method, step by step, as
// koutu.matting.local_colour.

import { Box } from "./box.js";

const [SHRUNK, LINE_SHRUNK] = [4, 2]; // how many times smaller the coefficients of either step are found
const WINDOW = 2; // radius in which person and background are told apart, in pixels of the picture made so small
const LINE_WINDOW = 2; // radius in which alpha is a straight line of colour, likewise
const [COLOURS, PRIOR] = [1.5, 1.5]; // what the log-odds of the colours, and of the network's alpha, count
const NOISE = 1e-3; // variance of colours in [0, 1] that two means must stand out of
const LINE_NOISE = 1e-4; // variance of colours below which a small window is taken for plain
const TRUST = 2; // what colour explains of a small window's alpha, times this, is how far its line counts
const HAZE = 0.02; // alpha within this of 0 or 1 is what the lines leave of a side that is sure
const UNSURE = 0.02; // of a window: less of either is noise
const LEAST = 0.01; // that the network's alpha is from 0 and 1 when its odds are taken
const PAIRS = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]];

/** Buffers for pictures of one size, both sides multiples of 4. */
export class Colours {
  constructor(width, height) {
    this.coarse = new Small(width, height, SHRUNK);
    this.fine = new Small(width, height, LINE_SHRUNK);
  }

  /** Alpha (a new array) of `pha` in [0, 1] whose outline the colours of `rgb` (3 bytes a pixel) agree on. */
  follow(pha, rgb) {
    const followed = pha.slice();
    if (this.decide(followed, rgb)) this.onLines(followed, rgb);
    return followed;
  }

  /** Each unsure pixel of `pha`, in place, to the side whose colour it has; whether there were any. */
  decide(pha, rgb) {
    const small = this.coarse;
    const { share, unsure, means, lines } = small;
    small.shrink(pha);
    if (!small.mark(WINDOW, UNSURE)) return false;
    small.see(rgb);
    small.meansOf(WINDOW);
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
    small.at(rgb, (i, odds) => {
      const given = Math.min(1 - LEAST, Math.max(LEAST, pha[i]));
      const total = COLOURS * odds + PRIOR * Math.log(given / (1 - given));
      pha[i] = 1 / (1 + Math.exp(-Math.min(30, Math.max(-30, total))));
    });
    return true;
  }

  /** Alpha near its outline, in place, as lines through the colours of small windows have it. */
  onLines(pha, rgb) {
    const small = this.fine;
    const { pha: half, unsure, means, lines } = small;
    small.shrink(pha);
    small.mark(2 * LINE_WINDOW + 1, UNSURE / 5);
    small.see(rgb);
    small.meansOf(LINE_WINDOW);
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
      for (let c = 0; c < 3; c++) right[c] = means.ofPerson[c][i] - means.seen[c][i] * means.pha[i];
      const slope = solved(covariance, right);
      lines[3][i] = means.pha[i];
      let explained = 0;
      for (let c = 0; c < 3; c++) {
        lines[c][i] = slope[c];
        lines[3][i] -= slope[c] * means.seen[c][i];
        explained += slope[c] * right[c];
      }
      explained /= means.square[i] - means.pha[i] * means.pha[i] + LINE_NOISE;
      lines[4][i] = Math.min(1, Math.max(0, TRUST * explained));
    }
    for (const plane of lines) {
      small.box.mean(plane, small.work, LINE_WINDOW);
      plane.set(small.work);
    }
    small.at(rgb, (i, value, trust) => {
      pha[i] += trust * (Math.min(1, Math.max(0, (value - HAZE) / (1 - 2 * HAZE))) - pha[i]);
    });
  }
}

/** A picture and its alpha, `times` smaller, and the means of their windows. */
class Small {
  constructor(width, height, times) {
    Object.assign(this, { whole: [width, height], times, width: width / times, height: height / times });
    const count = this.width * this.height;
    const plane = () => new Float32Array(count);
    const planes = (number) => Array.from({ length: number }, plane);
    this.pha = plane();
    this.share = plane();
    this.work = plane();
    this.box = new Box(this.width, this.height);
    this.seen = planes(3);
    this.products = planes(6);
    this.means = { seen: planes(3), products: planes(6), ofPerson: planes(3), pha: plane(), square: plane() };
    this.lines = planes(5); // three slopes, the offset, and how far the line is trusted
    this.unsure = new Uint8Array(count);
  }

  see(rgb) {
    const { seen, products } = this;
    for (let c = 0; c < 3; c++) this.average(rgb, 3, c, seen[c]);
    for (const plane of seen) for (let i = 0; i < plane.length; i++) plane[i] = Math.round(plane[i]) / 255;
    PAIRS.forEach(([a, b], k) => {
      for (let i = 0; i < seen[a].length; i++) products[k][i] = seen[a][i] * seen[b][i];
    });
  }

  shrink(pha) {
    this.average(pha, 1, 0, this.pha);
  }

  /** Means of squares of `times` × `times` pixels, of one channel of several that lie interleaved. */
  average(source, channels, channel, into) {
    const { whole, times, width, height } = this;
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        let sum = 0;
        for (let j = 0; j < times; j++) {
          const row = (y * times + j) * whole[0] + x * times;
          for (let i = 0; i < times; i++) sum += source[(row + i) * channels + channel];
        }
        into[at] = sum / (times * times);
      }
    }
  }

  /** Marks where the share of person in windows of this radius is neither `least` nor all but it; how many. */
  mark(radius, least) {
    const { pha, share, unsure } = this;
    this.box.mean(pha, share, radius);
    let count = 0;
    for (let i = 0; i < pha.length; i++) count += unsure[i] = share[i] > least && share[i] < 1 - least ? 1 : 0;
    return count;
  }

  meansOf(radius) {
    const { pha, seen, products, means, work } = this;
    for (let c = 0; c < 3; c++) {
      this.box.mean(seen[c], means.seen[c], radius);
      for (let i = 0; i < pha.length; i++) work[i] = seen[c][i] * pha[i];
      this.box.mean(work, means.ofPerson[c], radius);
    }
    for (let k = 0; k < 6; k++) this.box.mean(products[k], means.products[k], radius);
    this.box.mean(pha, means.pha, radius);
    for (let i = 0; i < pha.length; i++) work[i] = pha[i] * pha[i];
    this.box.mean(work, means.square, radius);
  }

  /** `use(pixel, slope · colour + offset, trust)` for every pixel of the whole picture that is unsure here. */
  at(rgb, use) {
    const { whole, times, width, height, lines, unsure } = this;
    const found = [0, 0, 0, 0, 0];
    for (let y = 0; y < whole[1]; y++) {
      const [top, down] = this.between(y, height);
      const bottom = Math.min(top + 1, height - 1);
      const row = Math.floor(y / times) * width;
      for (let x = 0; x < whole[0]; x++) {
        if (!unsure[row + Math.floor(x / times)]) continue;
        const [left, along] = this.between(x, width);
        const right = Math.min(left + 1, width - 1);
        const i = y * whole[0] + x;
        const [nw, ne] = [top * width + left, top * width + right];
        const [sw, se] = [bottom * width + left, bottom * width + right];
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

  /** Which small pixel is before a whole one, and how far it is towards the next. */
  between(i, length) {
    const place = Math.min(Math.max((i + 0.5) / this.times - 0.5, 0), length - 1);
    const before = Math.floor(place);
    return [before, place - before];
  }
}

/** Three equations of a symmetric matrix, of which six entries are given. */
function solved([xx, xy, xz, yy, yz, zz], [x, y, z]) {
  const [a, b, c] = [yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy];
  const [d, e, f] = [xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy];
  const whole = xx * a + xy * b + xz * c;
  return [(a * x + b * y + c * z) / whole, (b * x + d * y + e * z) / whole, (c * x + e * y + f * z) / whole];
}
