// Where pictures come from: a file, a video or a camera. Each tells when there is a newer frame; none is queued.

/** What went wrong, as a key of the words, with what to put into them. */
export class Trouble extends Error {
  constructor(key, values = {}) {
    super(key);
    this.key = key;
    this.values = values;
  }
}

class Moving {
  constructor(video) {
    this.element = video;
    this.ready = null; // when the newest frame was taken, until it is used
    this.last = null; // the same, of the frame used last
    this.closed = false;
    this.wake = () => {};
    this.watch();
  }

  get size() {
    return [this.element.videoWidth, this.element.videoHeight];
  }

  watch() {
    const video = this.element;
    const seen = (now, about) => {
      if (this.closed) return;
      this.ready = { seconds: about?.mediaTime ?? video.currentTime, taken: about?.captureTime ?? now };
      this.wake();
      again();
    };
    const again = () => {
      if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(seen);
      else requestAnimationFrame((now) => seen(now, null));
    };
    again();
  }

  /** Resolves when there is a frame that was not used yet, or when the source is closed. */
  async next() {
    while (!this.ready && !this.closed) await new Promise((resolve) => (this.wake = resolve));
    return !this.closed;
  }

  use() {
    this.last = this.ready;
    this.ready = null;
    return this.last;
  }

  close() {
    this.closed = true;
    this.element.pause();
    this.wake();
  }
}

export class Video extends Moving {
  kind = "video";

  static async open(file) {
    const video = document.createElement("video");
    Object.assign(video, { muted: true, loop: true, playsInline: true, preload: "auto" });
    video.src = URL.createObjectURL(file);
    await settled(video, "loadeddata").catch(() => {
      URL.revokeObjectURL(video.src);
      throw new Trouble("videoUnreadable", { name: file.name });
    });
    if (!video.videoWidth) throw new Trouble("videoWithoutPicture", { name: file.name });
    const source = new Video(video);
    source.file = file;
    await video.play().catch(() => {});
    return source;
  }

  close() {
    super.close();
    URL.revokeObjectURL(this.element.src);
    this.element.removeAttribute("src");
  }
}

export class Camera extends Moving {
  kind = "camera";

  /** deviceId: one of `cameras()`, or nothing for the one that faces the user. */
  static async open(deviceId) {
    if (!navigator.mediaDevices?.getUserMedia) throw new Trouble("cameraNeedsSecure");
    const picked = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
    const video = { ...picked, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video, audio: false }).catch((error) => {
      throw new Trouble(CAMERA_TROUBLES[error.name] ?? "cameraFailed", { reason: error.message || error.name });
    });
    const element = document.createElement("video");
    Object.assign(element, { muted: true, playsInline: true, srcObject: stream });
    await element.play();
    const source = new Camera(element);
    source.stream = stream;
    const [track] = stream.getVideoTracks();
    source.deviceId = track.getSettings().deviceId;
    source.facesUser = track.getSettings().facingMode !== "environment";
    track.onended = () => source.lost?.();
    return source;
  }

  static async list() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return devices.filter((device) => device.kind === "videoinput" && device.deviceId);
  }

  close() {
    super.close();
    this.stream.getTracks().forEach((track) => track.stop());
    this.element.srcObject = null;
  }
}

const CAMERA_TROUBLES = {
  NotAllowedError: "cameraRefused",
  SecurityError: "cameraRefused",
  NotFoundError: "cameraMissing",
  OverconstrainedError: "cameraMissing",
  NotReadableError: "cameraBusy",
  AbortError: "cameraBusy",
};

const STRAIGHT = { premultiplyAlpha: "none" };
const FOREIGN = /\.(hei[cf]|tiff?|jp2)$/i; // pictures that koutu reads and not every browser does

export class Picture {
  kind = "picture";

  /** largest: side that the graphics card takes; larger pictures are made smaller, and `shrunk` tells their size before. */
  static async open(file, { largest, asJpeg }) {
    let bitmap = await bitmapOf(file, asJpeg);
    const before = [bitmap.width, bitmap.height];
    bitmap = await fitted(bitmap, largest);
    const source = new Picture();
    const size = [bitmap.width, bitmap.height];
    return Object.assign(source, { file, element: bitmap, size, shrunk: size[0] < before[0] ? before : null });
  }

  /** What a server with these limits takes: the file itself, or where it would be refused, a smaller JPEG of it. */
  async forServer({ megapixels, upload_mb }) {
    const [width, height] = this.size;
    const scale = Math.min(1, Math.sqrt((0.99 * megapixels * 1e6) / (width * height)));
    if (scale === 1 && !this.shrunk && this.file.size <= upload_mb * 1e6) return this.file;
    const canvas = new OffscreenCanvas(Math.round(width * scale), Math.round(height * scale));
    const context = canvas.getContext("2d");
    context.fillStyle = "white"; // as the server puts behind what lets through
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.element, 0, 0, canvas.width, canvas.height);
    return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
  }

  close() {
    this.element.close();
  }
}

/** asJpeg(file): lets the server turn what the browser cannot read into JPEG; null: not without being asked. */
export async function bitmapOf(file, asJpeg) {
  let bitmap = await createImageBitmap(file, STRAIGHT).catch(() => null);
  if (!bitmap && FOREIGN.test(file.name)) {
    if (!asJpeg) throw new Trouble("pictureNeedsServer", { name: file.name, host: location.host });
    bitmap = await createImageBitmap(await asJpeg(file), STRAIGHT).catch(() => null);
  }
  if (!bitmap) throw new Trouble("pictureUnreadable", { name: file.name });
  return bitmap;
}

/** The bitmap, or a smaller one in its place: no side beyond `largest`, no more pixels than this machine has room for. */
async function fitted(bitmap, largest) {
  const { width, height } = bitmap;
  const small = matchMedia("(pointer: coarse)").matches || (navigator.deviceMemory ?? 8) <= 4;
  const most = (small ? 24 : 64) * 1e6;
  const scale = Math.min(1, largest / Math.max(width, height), Math.sqrt(most / (width * height)));
  if (scale === 1) return bitmap;
  const size = { resizeWidth: Math.floor(width * scale), resizeHeight: Math.floor(height * scale) };
  const smaller = await createImageBitmap(bitmap, { ...STRAIGHT, ...size, resizeQuality: "high" });
  bitmap.close();
  return smaller;
}

/** A picture or video, by what the file says and, failing that, by trying. limits: of Picture.open. */
export async function openFile(file, limits) {
  if (!file.size) throw new Trouble("fileEmpty", { name: file.name });
  if (file.type.startsWith("video/") || /\.(mp4|m4v|mov|webm|mkv|avi|ogv)$/i.test(file.name)) return Video.open(file);
  if (file.type.startsWith("image/") || /\.(jpe?g|png|webp|avif|gif|bmp)$/i.test(file.name) || FOREIGN.test(file.name)) {
    return Picture.open(file, limits);
  }
  throw new Trouble("fileUnknown", { name: file.name });
}

function settled(element, event) {
  return new Promise((resolve, reject) => {
    element.addEventListener(event, resolve, { once: true });
    element.addEventListener("error", () => reject(element.error), { once: true });
  });
}
