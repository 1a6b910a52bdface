// Pictures, alpha and background become what is shown. An alpha is only ever drawn with the picture it was made of.

import { Gpu } from "./gl.js";
import { AROUND, COPY, COVER, FLAT, FOURTH, GAUSS, HALVE, HIDE, REFINE, SHOW, SUMS, TOUCH } from "./shaders.js";

export const VIEWS = { original: 0, result: 1, alpha: 2, split: 3, cutout: 4 };
const BACKGROUNDS = { transparent: 0, colour: 1, picture: 2, blur: 3 };
const WHOLE = [0, 0, 1, 1];

/** A picture on the card, with its alpha once there is one. */
class Slot {
  constructor(gpu) {
    this.picture = gpu.texture();
    this.plain = gpu.texture("r8"); // alpha as the network gave it
    this.touched = gpu.texture("r8"); // the same with the visitor's touch-up
    this.alpha = this.plain; // the one that counts
    this.fgr = gpu.texture();
    this.hasAlpha = this.hasFgr = false;
    this.isWhole = false; // whether alpha is already times the picture's own
  }

  get size() {
    return [this.picture.width, this.picture.height];
  }
}

export class Compositor {
  constructor(canvas) {
    this.canvas = canvas;
    this.gpu = new Gpu(canvas);
    const { gpu } = this;
    this.slots = [new Slot(gpu), new Slot(gpu)];
    this.given = gpu.texture();
    this.small = gpu.texture("r8", "nearest");
    this.lines = gpu.texture("rg16f");
    this.halves = [gpu.texture(), gpu.texture()];
    this.shrunk = gpu.texture();
    this.sums = [gpu.texture("rgba8", "mipmaps"), gpu.texture("rgba8", "mipmaps")];
    this.around = gpu.texture("rgba8", "mipmaps");
    this.soft = [gpu.texture(), gpu.texture()];
    this.behind = gpu.fill(gpu.texture("rgba8", "mipmaps"), new Uint8Array(4), 1, 1);
    this.fitted = gpu.texture();
    this.fits = false; // whether `fitted` is of `behind`
    this.summed = null;
  }

  /** The largest side a picture may have here. */
  get largest() {
    return this.gpu.largest;
  }

  /** Whether the processor draws, in want of a graphics card. */
  get imitated() {
    return this.gpu.imitated;
  }

  /** Put a picture, video or canvas into the slot that is not `kept`, which is returned. */
  take(source, size, kept) {
    return this.put(this.slots.find((slot) => slot !== kept), source, size);
  }

  /** The same into a slot beside those two. */
  apart(source, size) {
    this.spare ??= new Slot(this.gpu);
    return this.put(this.spare, source, size);
  }

  put(slot, source, [width, height]) {
    if (source instanceof ImageBitmap) {
      this.through(HIDE, source, slot.picture, width, height);
    } else this.gpu.fill(slot.picture, source, width, height);
    slot.hasAlpha = slot.hasFgr = slot.isWhole = false;
    slot.alpha = slot.plain;
    if (this.summed === slot) this.summed = null;
    return slot;
  }

  /** Put a picture into a texture by way of a pass. */
  through(fragment, source, texture, width, height) {
    const { gpu, given } = this;
    gpu.fill(given, source, width, height);
    gpu.pass(fragment, { source: given }, [gpu.room(texture, width, height)], [width, height]);
    gpu.fill(given, new Uint8Array(4), 1, 1); // large pictures take much room
  }

  /** RGBA bytes of the slot's picture at another size: halved while at least twice as large, then bilinear. */
  pixels({ picture }, width, height) {
    const { gpu } = this;
    let source = picture;
    for (let i = 0; source.width >= 2 * width && source.height >= 2 * height; i = 1 - i) {
      const size = [(source.width + 1) >> 1, (source.height + 1) >> 1];
      const half = gpu.room(this.halves[i], ...size);
      gpu.pass(HALVE, { source }, [half], size);
      source = half;
    }
    gpu.pass(COPY, { source }, [gpu.room(this.shrunk, width, height)], [width, height]);
    return gpu.read(this.shrunk);
  }

  /**
   * Give the slot its alpha: the network's {alpha, lines, width, height}; {picture, fgr}, a grey and a colour picture;
   * or {cut}, a bitmap with straight alpha.
   */
  matte(slot, matte) {
    const { gpu } = this;
    const size = slot.size;
    slot.isWhole = Boolean(matte.cut);
    if (matte.cut) {
      const own = [matte.cut.width, matte.cut.height];
      gpu.fill(slot.fgr, matte.cut, ...own);
      gpu.pass(FOURTH, { source: slot.fgr }, [gpu.room(slot.plain, ...own)], own);
      slot.hasFgr = own[0] === size[0] && own[1] === size[1]; // of a smaller one the alpha alone is good enough
    } else if (matte.picture) {
      gpu.fill(slot.plain, matte.picture, matte.picture.width, matte.picture.height);
      if (matte.fgr) gpu.fill(slot.fgr, matte.fgr, ...size);
      slot.hasFgr = Boolean(matte.fgr);
    } else {
      gpu.fill(this.small, matte.alpha, matte.width, matte.height);
      gpu.fill(this.lines, matte.lines, matte.width, matte.height);
      const inputs = { small: this.small, lines: this.lines, picture: slot.picture };
      gpu.pass(REFINE, inputs, [gpu.room(slot.plain, ...size)], size);
      slot.hasFgr = false;
    }
    slot.hasAlpha = true;
    slot.alpha = slot.plain;
    if (this.summed === slot) this.summed = null;
  }

  /** Room for a touch-up: where to keep and where to erase, and what the network said where it was made. */
  mark(slot) {
    const mark = { fix: this.gpu.texture(), seen: this.gpu.texture("r8") };
    const { width, height } = slot.plain;
    this.gpu.pass(COPY, { source: slot.plain }, [this.gpu.room(mark.seen, width, height)], [width, height]);
    return mark;
  }

  /** The strokes of a touch-up: a canvas, red to keep, green to erase. */
  setMark(mark, canvas) {
    this.gpu.fill(mark.fix, canvas, canvas.width, canvas.height);
  }

  forget(mark) {
    for (const { name } of [mark.fix, mark.seen]) this.gpu.gl.deleteTexture(name);
  }

  /** Put a touch-up on the slot's alpha; exact: of this very picture, not of an earlier one of the same shot. */
  touch(slot, { fix, seen }, exact) {
    const { width, height } = slot.plain;
    const inputs = { plain: slot.plain, fix, seen, exact: exact ? 1 : 0 };
    this.gpu.pass(TOUCH, inputs, [this.gpu.room(slot.touched, width, height)], [width, height]);
    slot.alpha = slot.touched;
    if (this.summed === slot) this.summed = null;
  }

  /** The picture behind, any that WebGL takes. */
  setBehind(source, width, height) {
    this.through(FLAT, source, this.behind, width, height);
    this.fits = false;
  }

  /** Show nothing of any picture. */
  blank({ squares }) {
    const { gl } = this.gpu;
    this.gpu.aim([]);
    gl.clearColor(...(squares?.[1] ?? [0.8, 0.8, 0.8]), 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
  }

  /** Show a slot on the canvas, veiled where a result is wanted that is not there yet.
   * look: {view, split, window, mirror, background, squares, veil}. */
  show(slot, look) {
    const size = [this.canvas.width, this.canvas.height];
    this.prepare(slot, look, size);
    this.gpu.pass(SHOW, this.inputs(slot, look), [], size);
  }

  /** RGBA bytes of the whole slot as `look` says, at the picture's size; of a slot without alpha the original only. */
  bytes(slot, look) {
    if (!slot.hasAlpha && look.view !== "original") throw new Error("this picture has no alpha yet");
    this.prepare(slot, look, slot.size);
    const target = this.gpu.room(this.gpu.texture(), ...slot.size);
    this.gpu.pass(SHOW, this.inputs(slot, { ...look, window: WHOLE }), [target], slot.size);
    const bytes = this.gpu.read(target);
    this.gpu.gl.deleteTexture(target.name);
    return bytes;
  }

  inputs(slot, look) {
    const { kind, colour = [0, 0, 0] } = look.background;
    const level = Math.max(0, Math.floor(Math.log2(Math.min(...slot.size) / 300))) + 1.5; // a few pixels' mean
    return {
      picture: slot.picture, alpha: slot.alpha, fgr: slot.fgr,
      front: this.sums[0], back: this.sums[1], soft: this.soft[1], behind: this.fitted,
      hasAlpha: slot.hasAlpha, hasFgr: slot.hasFgr && slot.alpha === slot.plain, clean: 1, whole: slot.isWhole,
      window: look.window ?? WHOLE, mirror: look.mirror ? 1 : 0, split: look.split ?? 0.5,
      narrow: level, wide: level + 3, view: { int: VIEWS[look.view] }, background: { int: BACKGROUNDS[kind] },
      plain: colour.map((c) => c / 255), square: look.square ?? 12, veil: look.veil ?? 1,
      squareA: look.squares?.[0] ?? [1, 1, 1], squareB: look.squares?.[1] ?? [0.8, 0.8, 0.8],
    };
  }

  /** What the last pass reads beside picture and alpha: colours near the edge, and the blurred background. */
  prepare(slot, { view, background: { kind, strength = 10 } }, size) {
    if (!slot.hasAlpha || view === "original" || view === "alpha") return;
    if (kind === "picture" && view !== "cutout") this.fit(size);
    const half = slot.size.map((side) => Math.max(1, (side + 1) >> 1));
    if (this.summed !== slot) {
      this.sums.forEach((sums) => this.gpu.room(sums, ...half));
      this.gpu.pass(SUMS, { picture: slot.picture, alpha: slot.alpha }, this.sums, half);
      this.summed = slot;
      this.blurred = 0;
    }
    if (kind === "blur" && view !== "cutout" && this.blurred !== strength) this.blur(slot, half, strength);
  }

  /** The picture behind at the target's size, once for many frames. */
  fit([width, height]) {
    if (this.fits && this.fitted.width === width && this.fitted.height === height) return;
    const ratio = (this.behind.width * height) / (this.behind.height * width);
    const part = ratio > 1 ? [1 / ratio, 1] : [1, ratio];
    this.gpu.pass(COVER, { source: this.behind, part }, [this.gpu.room(this.fitted, width, height)], [width, height]);
    this.fits = true;
  }

  blur(slot, half, strength) {
    const { gpu } = this;
    if (!this.blurred) {
      const reach = Math.floor(Math.min(...slot.size) / 180) + 1;
      gpu.pass(AROUND, { picture: slot.picture, alpha: slot.alpha, reach }, [gpu.room(this.around, ...half)], half);
    }
    const sigma = (strength / 400) * Math.min(...half); // at half size
    const level = Math.max(0, Math.ceil(Math.log2(sigma / 3)));
    const size = half.map((side) => Math.max(1, side >> level));
    const cells = Math.max(sigma / 2 ** level, 0.1);
    const [across, down] = this.soft.map((texture) => gpu.room(texture, ...size));
    gpu.pass(GAUSS, { source: this.around, level, sigma: cells, way: [1 / size[0], 0] }, [across], size);
    gpu.pass(GAUSS, { source: across, level: 0, sigma: cells, way: [0, 1 / size[1]] }, [down], size);
    this.blurred = strength;
  }

  /** Where the rim is widest, as [x, y] in [0, 1] of the picture: hair, mostly. */
  rim(slot) {
    const [width, height] = [64, 36];
    if (!slot?.hasAlpha) return [0.5, 0.35];
    const shown = { picture: slot.alpha };
    const bytes = this.pixels(shown, width * 4, height * 4);
    const sums = new Float32Array(width * height);
    for (let i = 0; i < width * 4 * height * 4; i++) {
      const a = bytes[4 * i] / 255;
      sums[((i / (width * 16)) | 0) * width + (((i % (width * 4)) / 4) | 0)] += a * (1 - a);
    }
    const best = sums.indexOf(Math.max(...sums));
    return [((best % width) + 0.5) / width, (((best / width) | 0) + 0.5) / height];
  }
}
