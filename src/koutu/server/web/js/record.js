// Recording what the camera's picture became, in this browser.

const TYPES = [["video/webm;codecs=vp9,opus", "webm"], ["video/mp4", "mp4"], ["video/webm", "webm"]];

export const canRecord = () => "MediaRecorder" in globalThis && Boolean(HTMLCanvasElement.prototype.captureStream);

export class Recorder {
  /** microphone: a Microphone, or null for a recording without sound. */
  constructor(compositor, look, microphone) {
    Object.assign(this, { compositor, look, microphone });
    this.canvas = document.createElement("canvas");
    this.done = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
  }

  /** Take a frame that was just shown. */
  add({ slot }, matte) {
    if (!matte || this.stopped) return;
    if (!this.recorder) this.begin(slot);
    const bytes = this.compositor.bytes(slot, { ...this.look(), view: "result" });
    const picture = new ImageData(new Uint8ClampedArray(bytes.buffer), ...slot.size);
    this.canvas.getContext("2d").putImageData(picture, 0, 0);
  }

  begin({ size: [width, height] }) {
    Object.assign(this.canvas, { width, height });
    const [type, ending] = TYPES.find(([name]) => MediaRecorder.isTypeSupported(name)) ?? ["", "webm"];
    const parts = [];
    const stream = this.canvas.captureStream();
    if (this.microphone) stream.addTrack(this.microphone.track);
    this.recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 6e6 });
    this.recorder.ondataavailable = ({ data }) => parts.push(data);
    this.recorder.onerror = ({ error }) => this.reject(error);
    this.recorder.onstop = () => this.resolve({ blob: new Blob(parts, { type }), ending });
    this.recorder.start(1000);
  }

  stop() {
    this.stopped = true;
    if (this.recorder) this.recorder.stop();
    else this.reject(new Error("nothing was recorded"));
  }
}
