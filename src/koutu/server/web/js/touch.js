// A visitor's touch-up of one picture: what to keep and what to erase, drawn step by step, each step taken back at will.

import { png } from "./png.js";

const LONGEST = 1280; // pixels of the longer side that it is drawn on
const COLOURS = { keep: "#f00", erase: "#0f0" }; // as the compositor reads them

/** A touch-up for a picture of that size. Points are [x, y] in [0, 1]; radii are shares of the longer side. */
export class Touch {
  constructor([width, height]) {
    const scale = Math.min(1, LONGEST / Math.max(width, height));
    this.canvas = document.createElement("canvas");
    this.canvas.width = Math.max(1, Math.round(width * scale));
    this.canvas.height = Math.max(1, Math.round(height * scale));
    this.context = this.canvas.getContext("2d");
    this.steps = [];
    this.undone = [];
  }

  get empty() {
    return this.steps.length === 0;
  }

  /** Begin a stroke; `extend` goes on with it. */
  begin(what, radius, point) {
    this.add({ what, radius, points: [point] });
  }

  extend(point) {
    const step = this.steps.at(-1);
    step.points.push(point);
    this.draw({ ...step, points: step.points.slice(-2) });
  }

  /** Whole areas at once: canvases of any size with alpha where they count, by what is to be done there. */
  areas(areas) {
    this.add({ areas });
  }

  add(step) {
    this.steps.push(step);
    this.undone = [];
    this.draw(step);
  }

  undo() {
    if (!this.steps.length) return;
    this.undone.push(this.steps.pop());
    this.redraw();
  }

  redo() {
    if (!this.undone.length) return;
    this.steps.push(this.undone.pop());
    this.draw(this.steps.at(-1));
  }

  clear() {
    this.steps = [];
    this.undone = [];
    this.redraw();
  }

  redraw() {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    for (const step of this.steps) this.draw(step);
  }

  draw({ what, radius, points, areas }) {
    const { context, canvas } = this;
    const { width, height } = canvas;
    if (areas) {
      context.imageSmoothingQuality = "high";
      for (const area of Object.values(areas)) context.drawImage(area, 0, 0, width, height);
      return;
    }
    Object.assign(context, { strokeStyle: COLOURS[what], fillStyle: COLOURS[what], lineCap: "round", lineJoin: "round" });
    context.lineWidth = 2 * radius * Math.max(width, height);
    const [[x, y], ...rest] = points.map(([u, v]) => [u * width, v * height]);
    context.beginPath();
    context.moveTo(x, y);
    if (!rest.length) context.lineTo(x + 0.01, y); // a dot
    for (const [u, v] of rest) context.lineTo(u, v);
    context.stroke();
  }
}

/** The strokes as a grey picture for the server: 255 to keep, 0 to erase, 128 elsewhere → PNG. */
export function mask({ canvas, context }) {
  const { width, height } = canvas;
  const { data } = context.getImageData(0, 0, width, height);
  const grey = Uint8Array.from({ length: width * height }, (_, i) => {
    if (data[4 * i + 3] < 128) return 128;
    return data[4 * i] > data[4 * i + 1] ? 255 : 0;
  });
  return png(grey, width, height, 1);
}

/** Areas of a mask (1 where it counts) of width × height as a canvas, for `Touch.areas`. */
export function area(what, mask, width, height) {
  const colour = COLOURS[what] === "#f00" ? 0 : 1;
  const picture = new ImageData(width, height);
  for (let i = 0; i < mask.length; i++) {
    picture.data[4 * i + colour] = 255;
    picture.data[4 * i + 3] = mask[i] ? 255 : 0;
  }
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}
