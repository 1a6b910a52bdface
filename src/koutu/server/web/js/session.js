// One source through one engine onto the canvas: the newest frame wins, and an alpha is shown with its own picture.

import { Meter } from "./meter.js";

export class Session {
  /** told: {matted(frame), shown(frame, matte), failed(error)}; look() → what the compositor shall show. */
  constructor(compositor, look, told) {
    Object.assign(this, { compositor, look, told });
    this.meter = new Meter();
    this.source = this.engine = this.shown = null;
    this.run = 0; // counts sources and engines, so that answers for an earlier one are dropped
    this.pixels = null; // of the network's picture; null: its own
  }

  /** Show `source` by `engine`, either may be null; what ran before is left, not closed. */
  async start(source, engine) {
    const run = ++this.run;
    if (source !== this.source) this.shown = null;
    Object.assign(this, { source, engine });
    this.meter.reset();
    this.redraw();
    if (!source) return;
    try {
      if (source.kind === "picture") await this.still(run);
      else await this.follow(run);
    } catch (error) {
      if (run === this.run) this.told.failed(error);
    }
  }

  /** Matte the picture, or go on with the video, anew; after a change of size for example. */
  again() {
    return this.start(this.source, this.engine);
  }

  /** Whether what is shown has its alpha: only then is there a result to be seen or saved. */
  get matted() {
    return Boolean(this.shown?.slot.hasAlpha);
  }

  redraw() {
    if (this.shown) this.compositor.show(this.shown.slot, this.look());
    else this.compositor.blank(this.look());
  }

  async still(run) {
    const { source, engine, compositor } = this;
    if (!engine && this.shown) return; // what another engine made of this picture stays
    const slot = compositor.take(source.element, source.size, this.shown?.slot);
    const frame = { ...this.frame(slot, { seconds: 0, taken: performance.now() }), still: true };
    if (!this.matted) this.present(frame, null);
    if (!engine) return;
    const matte = await engine.still(frame, this.pixels);
    if (run === this.run) this.present(frame, matte);
  }

  async follow(run) {
    const { source, engine } = this;
    const clock = (await engine?.begin?.(source)) ?? source; // what tells when there is something new
    clock.ready ??= clock.last; // of a paused video, its one frame
    let ahead = null;
    while (run === this.run && (ahead || (await clock.next()))) {
      if (run !== this.run) return;
      if (!engine && this.matted) return; // the last result stays until there is an engine again
      const { frame, matte } = ahead ?? this.grab(clock, this.shown?.slot);
      const answer = await matte;
      if (run !== this.run) return;
      // The network looks at the next picture while this one is drawn.
      ahead = engine && clock.ready ? this.grab(clock, frame.slot) : null;
      ahead?.matte.catch(() => {});
      this.present(frame, answer);
    }
  }

  /** The newest frame, on the card and on its way through the engine; `kept`: the slot that must not be taken. */
  grab(clock, kept) {
    const { source, engine, compositor } = this;
    const frame = this.frame(compositor.take(source.element, source.size, kept), clock.use());
    return { frame, matte: engine ? Promise.resolve(engine.matte(frame, this.pixels)) : Promise.resolve(null) };
  }

  frame(slot, { seconds, taken }) {
    const pixels = (width, height) => this.compositor.pixels(slot, width, height);
    return { slot, seconds, taken, pixels, size: slot.size, source: this.source };
  }

  present(frame, matte) {
    frame.composed = Boolean(matte?.composed);
    if (matte) this.compositor.matte(frame.slot, matte);
    if (matte && !frame.composed) this.told.matted(frame);
    this.shown = frame;
    this.compositor.show(frame.slot, this.look());
    const now = performance.now();
    if (matte && !frame.still) this.meter.note(now, matte.latency ?? now - frame.taken, matte.ms);
    this.told.shown(frame, matte);
  }
}
