// How the picture lies on the page: its size, the part that is seen, the border of the comparison.

import { settings } from "./settings.js";
import { say } from "./words.js";

const $ = (id) => document.getElementById(id);
const ZOOM_MAX = 16;
const EDGE_ZOOM = 5;
const CANVAS_MAX = 2560; // pixels a side that are drawn

export class Stage {
  /** tool(): what takes the pointer before the stage does. changed(): draw anew; rim() → where the edge is worth a look; sparing: draw no more pixels than there are. */
  constructor({ changed, rim, sparing, tool }) {
    Object.assign(this, { changed, rim, sparing, tool, zoom: 1, centre: [0.5, 0.5], size: [16, 9] });
    this.canvas = $("view");
    new ResizeObserver(() => this.lay()).observe($("stage"));
    this.pointers = new Map();
    this.listen();
  }

  /** The part of the picture that is seen: left, top, width, height. */
  get window() {
    const side = 1 / this.zoom;
    return [...this.centre.map((c) => Math.min(1 - side, Math.max(0, c - side / 2))), side, side];
  }

  get split() {
    return Number($("split").value) / 100;
  }

  /** A picture of another size, or none. */
  setSize(size) {
    const open = Boolean(size);
    for (const id of ["frame", "bar", "transport"]) $(id).hidden = !open;
    $("empty").hidden = open;
    $("stage").classList.toggle("idle", !open);
    if (!open || (size[0] === this.size[0] && size[1] === this.size[1])) return;
    this.size = size;
    this.look(1, [0.5, 0.5]);
  }

  /** Fit the picture into the stage, and the canvas to the screen's pixels. */
  lay() {
    const stage = $("stage");
    if (stage.classList.contains("idle")) return;
    const narrow = matchMedia("(max-width: 900px)").matches;
    const room = [stage.clientWidth, narrow ? innerHeight * 0.56 : stage.clientHeight];
    const scale = Math.min(room[0] / this.size[0], room[1] / this.size[1]);
    const [width, height] = this.size.map((side) => Math.max(1, Math.floor(side * scale)));
    Object.assign($("frame").style, { width: `${width}px`, height: `${height}px` });
    const enough = this.sparing && this.zoom === 1 ? this.size[0] / width : Infinity;
    const dense = Math.min(devicePixelRatio || 1, CANVAS_MAX / Math.max(width, height), enough);
    const pixels = [Math.round(width * dense), Math.round(height * dense)];
    if (this.canvas.width !== pixels[0] || this.canvas.height !== pixels[1]) {
      [this.canvas.width, this.canvas.height] = pixels;
      this.changed();
    }
  }

  look(zoom, centre = this.centre) {
    this.zoom = Math.min(ZOOM_MAX, Math.max(1, zoom));
    const half = 0.5 / this.zoom;
    this.centre = centre.map((c) => Math.min(1 - half, Math.max(half, c)));
    $("zoom-now").textContent = `${this.zoom < 10 ? Math.round(this.zoom * 10) / 10 : Math.round(this.zoom)}×`;
    $("edge").setAttribute("aria-pressed", String(this.zoom > 1));
    $("edge").querySelector("span").textContent = say(this.zoom > 1 ? "edgeOff" : "edge");
    $("zoom-out").disabled = this.zoom === 1;
    $("zoom-in").disabled = this.zoom === ZOOM_MAX;
    this.lay();
    this.changed();
  }

  /** Zoom so that what lies at (x, y) of the canvas, in [0, 1], stays there. */
  zoomAt(factor, [x, y] = [0.5, 0.5]) {
    const [left, top, side] = this.window;
    const zoom = Math.min(ZOOM_MAX, Math.max(1, this.zoom * factor));
    const next = 1 / zoom;
    this.look(zoom, [left + side * x - next * (x - 0.5), top + side * y - next * (y - 0.5)]);
  }

  move(x, y) {
    this.look(this.zoom, [this.centre[0] + x / this.zoom, this.centre[1] + y / this.zoom]);
  }

  /** Tags, and the border of the comparison; nothing is called a result that is none. */
  dress(matted) {
    const view = settings.get("view");
    const split = view === "split";
    $("split").hidden = $("border").hidden = !split;
    $("border").style.left = `${100 * this.split}%`;
    const words = { result: [null, "tagResult"], original: ["tagOriginal", null], alpha: [null, "tagAlpha"], split: ["tagOriginal", "tagResult"] };
    const [left, right] = [words[view][0], matted ? words[view][1] : null];
    for (const [id, word] of [["tag-left", left], ["tag-right", right]]) {
      $(id).hidden = !word;
      $(id).textContent = word ? say(word) : "";
    }
  }

  listen() {
    const { canvas } = this;
    const keys = {
      "+": () => this.zoomAt(1.5), "=": () => this.zoomAt(1.5), "-": () => this.zoomAt(1 / 1.5), 0: () => this.look(1),
      ArrowLeft: () => this.move(-0.15, 0), ArrowRight: () => this.move(0.15, 0),
      ArrowUp: () => this.move(0, -0.15), ArrowDown: () => this.move(0, 0.15),
    };
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
    $("frame").addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomAt(Math.exp(-event.deltaY / 300), this.place(event));
    }, { passive: false });
    canvas.addEventListener("dblclick", (event) => this.zoomAt(this.zoom > 1 ? 1 / ZOOM_MAX : EDGE_ZOOM, this.place(event)));
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      if (this.pointers.size) this.tool().giveUp();
      else if (this.tool().down(event, this.place(event))) this.drawing = event.pointerId;
      this.pointers.set(event.pointerId, this.place(event));
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => {
        this.pointers.delete(event.pointerId);
        this.tool().up();
        this.drawing = null;
      });
    }
    canvas.addEventListener("pointermove", (event) => {
      const drawn = this.tool().move(event, this.place(event));
      if (!drawn && !(this.drawing === event.pointerId && this.pointers.size === 1)) this.drag(event);
    });
    $("zoom-in").addEventListener("click", () => this.zoomAt(1.5));
    $("zoom-out").addEventListener("click", () => this.zoomAt(1 / 1.5));
    $("edge").addEventListener("click", () => (this.zoom > 1 ? this.look(1) : this.look(EDGE_ZOOM, this.rim())));
    $("split").addEventListener("input", () => this.changed());
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  /** One finger moves, two zoom. */
  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.place(event);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (!other) return this.move(before[0] - now[0], before[1] - now[1]);
    const apart = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
    this.zoomAt(apart(now) / Math.max(0.01, apart(before)), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
  }
}
