// How many pixels the network is shown, and when fewer must do. Same rule as koutu.engines.backend.NetworkShape.

/** The sizes on offer, as 16:9; other shapes get about as many pixels. */
export const SIZES = [[256, 144], [320, 176], [384, 216], [448, 256], [512, 288]];

export const pixelsOf = ([width, height]) => width * height;

/** [width, height] of about `pixels` pixels at the picture's aspect, in whole strides, no side beyond 4 : 1. */
export function networkSize(pixels, stride, [width, height]) {
  const aspect = Math.min(4, Math.max(0.25, width / height));
  const rows = Math.sqrt(pixels / aspect);
  const whole = (side) => Math.max(1, Math.round(side / stride)) * stride;
  return [whole(rows * aspect), whole(rows)];
}

const SLOW_MS = 50; // a frame; below 20 frames a second talk looks jerky
const QUICK_MS = 18; // a frame; then the next size is tried
const LOOK = 10; // frames before a judgement
const PATIENCE = 90; // frames before going up

/** Chooses a rung of SIZES by the time frames take: down at once when slow, up seldom, and not to what was too slow. */
export class Governor {
  constructor() {
    this.rung = SIZES.length - 1;
    this.ceiling = this.rung;
    this.times = [];
  }

  /** Take note of a frame's time; true when the rung changed. */
  note(ms) {
    this.times.push(ms);
    if (this.times.length < LOOK) return false;
    const recent = this.times.slice(-LOOK).sort((a, b) => a - b);
    const median = recent[LOOK >> 1];
    if (median > SLOW_MS && this.rung > 0) {
      const now = pixelsOf(SIZES[this.rung]);
      let rung = this.rung - 1;
      while (rung > 0 && (median * pixelsOf(SIZES[rung])) / now > SLOW_MS * 0.8) rung--;
      this.ceiling = this.rung - 1;
      return this.move(rung);
    }
    if (median < QUICK_MS && this.rung < this.ceiling && this.times.length > PATIENCE) return this.move(this.rung + 1);
    return false;
  }

  move(rung) {
    this.rung = rung;
    this.times = [];
    return true;
  }

  /** Whether even the smallest size is slow. */
  get exhausted() {
    if (this.rung > 0 || this.times.length < 3 * LOOK) return false;
    const recent = this.times.slice(-LOOK).sort((a, b) => a - b);
    return recent[LOOK >> 1] > 3 * SLOW_MS;
  }
}
