// Touching a result up by hand: brushes, clicks and the choice of a person, on a still or on any frame of what moves.

import { tell } from "./notices.js";
import { likeArea, people } from "./regions.js";
import { settings } from "./settings.js";
import { area, mask, Touch } from "./touch.js";

const $ = (id) => document.getElementById(id);
const LOOK = 360; // pixels of the longer side that clicks are judged on
const BRUSHES = { brushKeep: "keep", brushErase: "erase" };
const CLICKS = { clickKeep: "keep", clickErase: "erase" };

export class Retouch {
  constructor(app) {
    this.app = app;
    this.tool = "brushErase";
    this.on = false;
    this.drawing = false;
    this.bind();
  }

  /** The touch-ups of the source that is open: [{seconds, touch, mark}]; each holds from its frame on. */
  get marks() {
    return (this.app.source.marks ??= []);
  }

  /** Whether what is shown can be touched up: it stands still and has an alpha of its own. */
  get possible() {
    const { session, source } = this.app;
    const still = source?.kind === "picture" || source?.element?.paused;
    return Boolean(still && session.matted && !session.shown.composed);
  }

  get radius() {
    return Number($("brush").value) / 1000 / this.app.stage.zoom;
  }

  /** Put what was touched up on a frame whose alpha has just come. */
  apply(frame) {
    const marks = this.app.source?.marks?.filter((one) => !one.touch.empty && one.seconds <= frame.seconds) ?? [];
    const last = marks.sort((a, b) => a.seconds - b.seconds).at(-1);
    if (last) this.app.compositor.touch(frame.slot, last.mark, last.seconds === frame.seconds);
  }

  /** The touch-up of the frame that is shown, made if there is none. */
  get current() {
    const { session, compositor } = this.app;
    const { seconds, slot, size } = session.shown;
    let mark = this.marks.find((one) => one.seconds === seconds);
    if (!mark) this.marks.push((mark = { seconds, touch: new Touch(size), mark: compositor.mark(slot) }));
    return mark;
  }

  /** The touch-ups as the server takes them: [{name, file}]. */
  masks() {
    const drawn = this.marks.filter(({ touch }) => !touch.empty);
    return Promise.all(drawn.map(async ({ seconds, touch }) => ({ name: `${seconds.toFixed(4)}.png`, file: await mask(touch) })));
  }

  /** What was drawn is seen. */
  show() {
    const { session, compositor } = this.app;
    const { touch, mark } = this.current;
    compositor.setMark(mark, touch.canvas);
    compositor.touch(session.shown.slot, mark, true);
    this.app.redraw();
    this.draw();
  }

  /** A step back, forward, or all of them. */
  step(how) {
    if (!this.possible) return;
    this.current.touch[how]();
    this.show();
  }

  toggle() {
    this.on = !this.on;
    if (this.on && ["split", "original"].includes(settings.get("view"))) settings.set("view", "result");
    const { element } = this.app.source ?? {};
    if (this.on && element?.pause && !element.paused) $("play").click();
    this.draw();
  }

  /** A source went, or another came. */
  leave() {
    this.on = this.drawing = false;
    const { source, batch, compositor } = this.app;
    if (batch.has(source?.file)) return; // the strip keeps what was done to its pictures
    for (const { mark } of source?.marks ?? []) compositor.forget(mark);
  }

  // The pointer

  down(event, at) {
    if (!this.on || !this.possible || event.button) return false;
    const point = this.point(at);
    if (BRUSHES[this.tool]) {
      this.drawing = true;
      this.current.touch.begin(BRUSHES[this.tool], this.radius, point);
      this.show();
    } else this.click(point);
    return true;
  }

  move(event, at) {
    this.ring(event);
    if (!this.drawing) return false;
    this.current.touch.extend(this.point(at));
    this.show();
    return true;
  }

  up() {
    this.drawing = false;
  }

  /** A second finger zooms: what the first drew meanwhile is taken back. */
  giveUp() {
    if (!this.drawing) return;
    this.drawing = false;
    this.step("undo");
  }

  /** From the canvas to the picture, both [0, 1]. */
  point([x, y]) {
    const [left, top, width, height] = this.app.stage.window;
    return this.app.mirrored([left + x * width, top + y * height]);
  }

  click(point) {
    const { compositor, session } = this.app;
    const { slot, size } = session.shown;
    const scale = Math.min(1, LOOK / Math.max(...size));
    const [width, height] = size.map((side) => Math.max(1, Math.round(side * scale)));
    const rgba = compositor.pixels({ picture: slot.picture }, width, height);
    const grey = compositor.pixels({ picture: slot.alpha }, width, height);
    const alpha = Uint8Array.from({ length: width * height }, (_, i) => grey[4 * i]);
    const at = [point[0] * width, point[1] * height].map((v, i) => Math.min([width, height][i] - 1, Math.max(0, Math.floor(v))));
    const areas = CLICKS[this.tool] ? this.likeness(rgba, alpha, width, height, at) : this.only(alpha, width, height, at);
    if (!areas) return;
    this.current.touch.areas(areas);
    this.show();
  }

  likeness(rgba, alpha, width, height, at) {
    const what = CLICKS[this.tool];
    const wanted = what === "keep" ? (a) => a < 250 : (a) => a > 5;
    return { [what]: area(what, likeArea(rgba, alpha, width, height, at, wanted), width, height) };
  }

  /** Everybody but the person there is erased. */
  only(alpha, width, height, [x, y]) {
    const { labels, count } = people(alpha, width, height);
    if (count < 2) return tell("oneOnly");
    const chosen = labels[y * width + x];
    return { erase: area("erase", Uint8Array.from(labels, (label) => (label === chosen ? 0 : 1)), width, height) };
  }

  // The controls

  bind() {
    $("touch").addEventListener("click", () => this.toggle());
    for (const input of document.querySelectorAll("input[name=tool]")) {
      input.addEventListener("change", () => {
        this.tool = input.value;
        this.draw();
      });
    }
    for (const how of ["undo", "redo", "clear"]) $(`touch-${how}`).addEventListener("click", () => this.step(how));
    addEventListener("keydown", (event) => {
      if (!this.on || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
      event.preventDefault();
      this.step(event.shiftKey ? "redo" : "undo");
    });
    $("frame").addEventListener("pointerleave", () => ($("ring").hidden = true));
  }

  /** The brush's rim around the pointer. */
  ring(event) {
    const shown = this.on && this.possible && Boolean(BRUSHES[this.tool]) && event.pointerType !== "touch";
    $("ring").hidden = !shown;
    if (!shown) return;
    const box = $("frame").getBoundingClientRect();
    const side = 2 * this.radius * this.app.stage.zoom * Math.max(box.width, box.height);
    Object.assign($("ring").style, {
      width: `${side}px`, height: `${side}px`, left: `${event.clientX - box.left}px`, top: `${event.clientY - box.top}px`,
    });
  }

  draw() {
    const { source } = this.app;
    $("touch").disabled = !source || !this.app.session.matted || Boolean(this.app.session.shown?.composed);
    $("touch").setAttribute("aria-pressed", String(this.on));
    $("tools").hidden = !this.on;
    $("frame").classList.toggle("touching", this.on);
    for (const input of document.querySelectorAll("input[name=tool]")) input.checked = input.value === this.tool;
    $("brush-row").hidden = !BRUSHES[this.tool];
    const shown = this.app.session.shown;
    const touch = source?.marks?.find((one) => one.seconds === shown?.seconds)?.touch;
    $("touch-undo").disabled = $("touch-clear").disabled = !touch?.steps.length;
    $("touch-redo").disabled = !touch?.undone.length;
    if (!this.on) $("ring").hidden = true;
  }
}
