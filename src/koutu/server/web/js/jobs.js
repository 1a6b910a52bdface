// A whole video made on the server: sent, watched, fetched or cancelled.

import { refusal } from "./server-engine.js";
import { Trouble } from "./source.js";
import { say } from "./words.js";

const PLAIN = /^[^\\/:*?"<>|]{1,120}\.(mp4|webm|gif)$/; // what an address may call a file

export class VideoJob {
  /** box: the element with text, progress and the button to cancel. */
  constructor(box) {
    this.box = box;
    this.stopped = new AbortController();
    const button = box.querySelector("button");
    button.onclick = () => this.cancel();
  }

  /** {id, name} of the video that the page's address tells of, or null. */
  static begun() {
    const asked = new URLSearchParams(location.search);
    const name = asked.get("save") ?? "";
    return asked.has("job") ? { id: asked.get("job"), name: PLAIN.test(name) ? name : "koutu.mp4" } : null;
  }

  /** → Blob of the finished video. wanted: {background, picture: File or null, format, name, touches}. Raises Trouble or AbortError. */
  run(file, wanted, headers) {
    return this.followed("jobSending", headers, async () => {
      this.id = await this.send(file, wanted, headers);
      note({ job: this.id, save: wanted.name }); // a page that is loaded anew goes on
    });
  }

  /** The same of a video that is on the server already. */
  resume(id, headers) {
    return this.followed("jobRunning", headers, async () => {
      const answer = await fetch(`/api/video/${encodeURIComponent(id)}`, { headers });
      if (answer.status === 404) throw new Trouble("jobGone");
      if (!answer.ok) throw await refusal(answer);
      this.id = id;
    });
  }

  async followed(word, headers, begin) {
    this.show(word, 0);
    this.box.hidden = false;
    try {
      await begin();
      await this.watch();
      this.show("jobRunning", 1);
      const answer = await fetch(`/api/video/${this.id}/result`, { headers, signal: this.stopped.signal });
      if (!answer.ok) throw await refusal(answer);
      const blob = await answer.blob();
      note({ job: null, save: null });
      return blob;
    } catch (error) {
      if (this.stopped.signal.aborted) this.forget();
      const lost = error instanceof TypeError; // the work may go on: its address is kept
      if (!lost) note({ job: null, save: null });
      throw lost ? new Trouble("serverLost") : error;
    } finally {
      this.box.hidden = true;
    }
  }

  cancel() {
    this.stopped.abort();
  }

  forget() {
    if (this.id) fetch(`/api/video/${this.id}`, { method: "DELETE", keepalive: true }).catch(() => {});
  }

  send(file, { background, picture, format, touches }, headers) {
    const form = new FormData();
    form.append("file", file, file.name);
    form.append("format", format);
    if (picture) form.append("bg_image_file", picture, picture.name);
    else form.append("background", background);
    for (const touch of touches) form.append("touch", touch.file, touch.name);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest(); // fetch does not tell how much was sent
      request.open("POST", "/api/video");
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.responseType = "json";
      request.upload.onprogress = ({ loaded, total }) => this.show("jobSending", total ? loaded / total : 0);
      request.onerror = () => reject(new Trouble("serverLost"));
      request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
      request.onload = async () => {
        if (request.status === 202) return resolve(request.response.id);
        const { status, statusText, response } = request;
        reject(await refusal({ status, statusText, json: async () => response }));
      };
      this.stopped.signal.addEventListener("abort", () => request.abort());
      request.send(form);
    });
  }

  /** Until the server says that it is done. */
  watch() {
    return new Promise((resolve, reject) => {
      const events = new EventSource(`/api/video/${this.id}/events`);
      const end = (settle, value) => {
        events.close();
        settle(value);
      };
      this.stopped.signal.addEventListener("abort", () => end(reject, new DOMException("cancelled", "AbortError")));
      events.onmessage = ({ data }) => {
        const told = JSON.parse(data);
        if (told.state === "done") end(resolve);
        else if (told.state === "failed") end(reject, new Trouble("serverSaid", { reason: told.error ?? "" }));
        else if (told.state === "cancelled") end(reject, new DOMException("cancelled", "AbortError"));
        else this.show(told.state === "waiting" ? "jobWaiting" : "jobRunning", told.progress ?? 0);
      };
      events.onerror = () => events.readyState === EventSource.CLOSED && end(reject, new Trouble("serverLost"));
    });
  }

  show(word, share) {
    const percent = word === "jobWaiting" ? "" : ` ${Math.round(100 * share)} %`;
    this.box.querySelector("p").textContent = say(word) + percent;
    this.box.querySelector("progress").value = share;
  }
}

/** Put these into the page's address, null takes out; nothing is loaded for it. */
function note(values) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(values)) {
    if (value === null) address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  history.replaceState(null, "", address);
}
