// Frames a second and latency, of the last seconds; of the last two frames where those take longer.

const SPAN_MS = 3000;

export class Meter {
  constructor() {
    this.reset();
  }

  reset() {
    this.shown = []; // [when, latency in ms, work in ms]
  }

  note(when, latency, work) {
    this.shown.push([when, latency, work]);
    while (this.shown.length > 2 && this.shown[0][0] < when - SPAN_MS) this.shown.shift();
  }

  /** {fps, latency, work}, or null before there is enough to tell. */
  get figures() {
    const { shown } = this;
    if (shown.length < 2 || performance.now() - shown.at(-1)[0] > SPAN_MS) return null;
    const seconds = (shown.at(-1)[0] - shown[0][0]) / 1000;
    const median = (column) => shown.map((row) => row[column]).sort((a, b) => a - b)[shown.length >> 1];
    return { fps: (shown.length - 1) / seconds, latency: median(1), work: median(2) };
  }
}
