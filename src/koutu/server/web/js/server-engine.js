// The network on the server, over a WebSocket: pictures go there as JPEG, their alphas come back under the same number.

import { Trouble } from "./source.js";

const WIDTH_MAX = 1280; // of what is sent
const QUALITY = 0.85;
const ID = 8; // bytes before each picture
const PATIENCE_MS = 15000; // for one answer
const ENDED = { 1013: "serverFull", 1008: "serverRefused" };

export const address = (path) => new URL(path, location.href.replace(/^http/, "ws")).href;

export class SocketEngine {
  static where = "server";
  way = "WebSocket";

  static async start(model, token, { lost }) {
    const engine = new SocketEngine(lost);
    const socket = (engine.socket = new WebSocket(address("/api/stream")));
    socket.binaryType = "arraybuffer";
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Trouble("serverLost"));
    });
    socket.onmessage = ({ data }) => engine.hear(data);
    socket.onclose = (event) => engine.end(event);
    const options = { background: "alpha", mirror: false };
    if (model) options.model = model;
    if (token) options.token = token;
    socket.send(JSON.stringify(options));
    return engine;
  }

  constructor(lost) {
    this.lost = lost;
    this.waiting = new Map(); // number → {resolve, reject}
    this.count = 0;
    this.canvas = document.createElement("canvas");
    this.about = {};
  }

  /** frame → {picture: alpha as a grey bitmap, ms}. */
  async matte(frame) {
    const started = performance.now();
    const jpeg = await this.jpeg(frame);
    const id = ++this.count;
    const message = new Uint8Array(ID + jpeg.byteLength);
    new DataView(message.buffer).setBigUint64(0, BigInt(id));
    message.set(new Uint8Array(jpeg), ID);
    const answer = await this.ask(id, message);
    const picture = await createImageBitmap(new Blob([answer], { type: "image/jpeg" }));
    return { picture, ms: performance.now() - started };
  }

  ask(id, message) {
    return new Promise((resolve, reject) => {
      if (this.socket.readyState !== WebSocket.OPEN) return reject(new Trouble("serverLost"));
      const timer = setTimeout(() => this.socket.close(), PATIENCE_MS);
      const done = (settle) => (value) => {
        clearTimeout(timer);
        this.waiting.delete(id);
        settle(value);
      };
      this.waiting.set(id, { resolve: done(resolve), reject: done(reject) });
      this.socket.send(message);
    });
  }

  /** The frame that was put on the card in this very task, so that both are of one moment. */
  jpeg({ source, size: [width, height] }) {
    const scale = Math.min(1, WIDTH_MAX / Math.max(width, height));
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.getContext("2d").drawImage(source.element, 0, 0, this.canvas.width, this.canvas.height);
    return new Promise((resolve, reject) => {
      const give = (blob) => (blob ? resolve(blob.arrayBuffer()) : reject(new Trouble("serverLost")));
      this.canvas.toBlob(give, "image/jpeg", QUALITY);
    });
  }

  hear(data) {
    if (typeof data === "string") {
      const told = JSON.parse(data);
      if (told.type === "stats") this.about = { ...this.about, ...told };
      if (told.type === "error") this.reason = told.detail;
      return;
    }
    const id = Number(new DataView(data).getBigUint64(0));
    this.waiting.get(id)?.resolve(data.slice(ID));
  }

  end({ code }) {
    if (this.closed) return;
    const reason = this.reason ?? "";
    const word = code === 1008 && reason.includes("token") ? "tokenWrong" : ENDED[code];
    const trouble = new Trouble(word ?? "serverLost", { reason });
    for (const { reject } of this.waiting.values()) reject(trouble);
    this.lost(trouble);
  }

  async reset() {}

  close() {
    this.closed = true;
    for (const { reject } of this.waiting.values()) reject(new Trouble("serverLost"));
    this.socket.close();
  }
}

/** A still picture through POST /api/remove → {picture: alpha, fgr: colours} as for the compositor. */
export async function removeOnServer(file, model, headers) {
  const form = formOf(file);
  if (model) form.append("model", model);
  const started = performance.now();
  const answer = await fetch("/api/remove", { method: "POST", body: form, headers }).catch(() => {
    throw new Trouble("serverLost");
  });
  if (!answer.ok) throw await refusal(answer);
  const cut = await createImageBitmap(await answer.blob(), { premultiplyAlpha: "none" });
  return { cut, ms: performance.now() - started };
}

/** A picture that this browser does not read, turned into JPEG by the server. */
export async function jpegByServer(file, headers) {
  const answer = await fetch("/api/jpeg", { method: "POST", body: formOf(file), headers }).catch(() => {
    throw new Trouble("serverLost");
  });
  if (answer.status === 400) throw new Trouble("pictureUnreadable", { name: file.name });
  if (!answer.ok) throw await refusal(answer);
  return answer.blob();
}

function formOf(file) {
  const form = new FormData();
  form.append("file", file, file.name || "picture.png");
  return form;
}

/** A refused request as words. */
export async function refusal(answer) {
  const told = await answer.json().catch(() => null);
  const problem = told?.errors?.[0];
  const seconds = Number(answer.headers?.get("Retry-After")) || 0;
  const keys = { 401: "tokenWrong", 413: "tooLargeForServer", 429: "serverFull" };
  return new Trouble(keys[answer.status] ?? "serverSaid", {
    reason: problem ? problem.detail : `${answer.status} ${answer.statusText}`, seconds,
  });
}
