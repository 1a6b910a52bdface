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

export class Picture {
  kind = "picture";

  static async open(file, largest) {
    const bitmap = await createImageBitmap(file, { premultiplyAlpha: "none" }).catch(() => {
      throw new Trouble("pictureUnreadable", { name: file.name });
    });
    const { width, height } = bitmap;
    if (Math.max(width, height) > largest) {
      bitmap.close();
      throw new Trouble("pictureTooLarge", { width, height, largest });
    }
    const source = new Picture();
    return Object.assign(source, { file, element: bitmap, size: [width, height] });
  }

  close() {
    this.element.close();
  }
}

/** A picture or video, by what the file says and, failing that, by trying. */
export async function openFile(file, largest) {
  if (!file.size) throw new Trouble("fileEmpty", { name: file.name });
  if (file.type.startsWith("video/") || /\.(mp4|m4v|mov|webm|mkv|avi|ogv)$/i.test(file.name)) return Video.open(file);
  if (file.type.startsWith("image/") || /\.(jpe?g|png|webp|avif|gif|bmp)$/i.test(file.name)) {
    return Picture.open(file, largest);
  }
  throw new Trouble("fileUnknown", { name: file.name });
}

function settled(element, event) {
  return new Promise((resolve, reject) => {
    element.addEventListener(event, resolve, { once: true });
    element.addEventListener("error", () => reject(element.error), { once: true });
  });
}
