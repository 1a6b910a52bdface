// Several pictures at once: a strip to look at each, and all results in one file.

import { symbol } from "./backgrounds.js";
import { tell, trouble } from "./notices.js";
import { download, nameFor, still } from "./saves.js";
import { settings } from "./settings.js";
import { openFile } from "./source.js";
import { say } from "./words.js";
import { zip } from "./zip.js";

const $ = (id) => document.getElementById(id);
const THUMB = 72; // pixels

export class Batch {
  constructor(app) {
    this.app = app;
    this.items = []; // {file, state: "", "work", "done" or "failed", button}
    this.stopped = null; // of the work on all, while it goes on
    $("save-all").addEventListener("click", () => (this.stopped ? this.stopped.abort() : this.save()));
  }

  has(file) {
    return this.items.some((item) => item.file === file);
  }

  /** What a visitor chose or dropped: one is opened, of several a strip is made and the first one opened. */
  take(files) {
    if (files.length > 1) {
      const pictures = files.filter((file) => !file.type.startsWith("video/"));
      if (pictures.length < files.length) tell("picturesOnly");
      this.stopped?.abort();
      this.forget();
      this.items = pictures.map((file) => ({ file, state: "", marks: [] }));
      $("items").replaceChildren(...this.items.map((item, i) => this.thumb(item, i)));
    }
    const [first] = this.items.length && files.length > 1 ? this.items.map(({ file }) => file) : files;
    this.draw();
    if (first) this.app.openFile(first);
  }

  /** Another source is open: the strip stays while that is one of its own. */
  opened(source) {
    if (!this.has(source?.file)) {
      this.stopped?.abort();
      this.forget();
      this.items = [];
    } else source.marks = this.items.find((item) => item.file === source.file).marks;
    this.draw();
  }

  forget() {
    for (const { marks } of this.items) for (const { mark } of marks) this.app.compositor.forget(mark);
  }

  /** All results, as the background says: cut-outs, or pictures with it; what could not be read is told. */
  async save() {
    const what = settings.get("background") === "transparent" ? "cutout" : "result";
    const stopped = (this.stopped = new AbortController());
    const files = [];
    const failed = [];
    for (const item of this.items) item.state = "";
    for (const item of this.items) {
      this.mark(item, "work");
      const bytes = await this.result(item, what).catch((error) => {
        failed.push(`${item.file.name} (${error.key ? say(error.key, error.values) : error.message})`);
      });
      if (stopped.signal.aborted) break;
      this.mark(item, bytes ? "done" : "failed");
      if (bytes) files.push({ name: nameFor(item, what, "png"), bytes });
    }
    this.stopped = null;
    this.draw();
    if (stopped.signal.aborted) return tell("jobCancelled");
    if (failed.length) trouble("someFailed", { names: failed.join(", ") });
    if (!files.length) return null;
    download(zip(files), "koutu.zip");
    return tell("saved", { name: "koutu.zip" });
  }

  async result({ file, marks }, what) {
    const { app } = this;
    const source = await openFile(file, { largest: app.compositor.largest, asJpeg: app.asJpeg(false) });
    try {
      const engine = await app.engines.open(source);
      const slot = app.compositor.apart(source.element, source.size);
      const pixels = (width, height) => app.compositor.pixels(slot, width, height);
      const frame = { slot, seconds: 0, taken: performance.now(), pixels, size: slot.size, source, still: true };
      app.compositor.matte(slot, await engine.still(frame, app.pixels));
      for (const { touch, mark } of marks) if (!touch.empty) app.compositor.touch(slot, mark, true);
      return new Uint8Array(await (await still(app.compositor, slot, what, { ...app.look(), mirror: false })).arrayBuffer());
    } finally {
      source.close();
    }
  }

  mark(item, state) {
    item.state = state;
    this.draw();
  }

  thumb(item, i) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "thumb", title: item.file.name });
    button.setAttribute("aria-label", `${i + 1}: ${item.file.name}`);
    button.append(symbol("file"));
    button.addEventListener("click", () => this.app.openFile(item.file));
    createImageBitmap(item.file, { resizeWidth: THUMB, resizeQuality: "medium" }).then((bitmap) => {
      const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      button.replaceChildren(canvas);
    }, () => {}); // the sign stays: the server may still read it
    item.button = button;
    return button;
  }

  draw() {
    $("strip").hidden = this.items.length < 2;
    for (const { button, file, state } of this.items) {
      button.dataset.state = state;
      button.setAttribute("aria-current", String(file === this.app.source?.file));
    }
    const done = this.items.filter(({ state }) => state === "done" || state === "failed").length;
    const [word, values] = this.stopped ? ["savingAll", { done, count: this.items.length }] : ["saveAll", { count: this.items.length }];
    $("save-all").textContent = say(word, values);
  }
}
