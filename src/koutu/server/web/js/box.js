// Means of square windows, by running sums.

/** Buffers for planes of one size. */
export class Box {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.across = new Float64Array(width * height);
    this.column = new Float64Array(width);
  }

  /** Means of `source` over windows of this radius, mirrored at the border, into another plane. */
  mean(source, into, radius) {
    const { width, height, across, column } = this;
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

function mirrored(i, length) {
  if (i < 0) return Math.min(length - 1, -1 - i);
  return i < length ? i : Math.max(0, 2 * length - 1 - i);
}
