// Saving what is open: stills and recordings made here, whole videos made on the server.

import { VideoJob } from "./jobs.js";
import { Microphone } from "./microphone.js";
import { tell, trouble } from "./notices.js";
import { canRecord, Recorder } from "./record.js";
import { download, nameFor, offer, still } from "./saves.js";
import { removeOnServer } from "./server-engine.js";
import { settings } from "./settings.js";

export class Saving {
  constructor(app) {
    this.app = app;
    this.recorder = this.job = null;
    this.asking = false;
  }

  /** The buttons for what is open. */
  draw() {
    offer(this.app.source, {
      acts: { still: (what) => this.still(what), video: (format) => this.video(format), record: () => this.record() },
      canRecord: canRecord(), canServer: true, recording: Boolean(this.recorder), matted: this.app.session.matted,
    });
  }

  /** A frame that was just shown, for a recording that goes on. */
  add(frame, matte) {
    this.recorder?.add(frame, matte);
    const latency = this.app.session.meter.figures?.latency;
    if (latency) this.recorder?.microphone?.follow(latency);
  }

  /** The microphone, or null and the reason told. */
  async microphone() {
    try {
      return await Microphone.open();
    } catch (error) {
      tell("recordSilent", { reason: error.message });
      return null;
    }
  }

  stop() {
    this.recorder?.stop();
  }

  async still(what) {
    const { session, source, compositor } = this.app;
    if (!session.shown || (what !== "original" && !session.matted)) return;
    const name = nameFor(source, what, "png");
    try {
      const slot = session.shown.composed && what !== "original" ? await this.cutByServer() : session.shown.slot;
      download(await still(compositor, slot, what, this.app.look()), name);
      tell("saved", { name });
    } catch (error) {
      trouble(error.key ?? "serverSaid", { reason: error.message, ...error.values });
    }
  }

  /** A live picture that came composed from the server has no alpha of its own: the server cuts this one frame out. */
  async cutByServer() {
    const { session, compositor, engines } = this.app;
    const { shown } = session;
    const whole = await still(compositor, shown.slot, "original", { ...this.app.look(), mirror: false });
    const { cut } = await removeOnServer(whole, "", engines.headers());
    const slot = compositor.apart(await createImageBitmap(whole), shown.size);
    compositor.matte(slot, { cut });
    return slot;
  }

  async video(format) {
    const { source, config, backgrounds, engines } = this.app;
    const { file } = source;
    const limit = config.limits.video_mb;
    if (limit && file.size > limit * 1e6) {
      return trouble("tooLargeForServerNow", { name: file.name, megabytes: Math.ceil(file.size / 1e6), limit });
    }
    this.job?.cancel();
    const transparent = format === "webm" || (format === "gif" && settings.get("background") === "transparent");
    const background = transparent ? "transparent" : backgrounds.forServer;
    const picture = background === null ? backgrounds.own?.file : null;
    const name = nameFor(source, transparent ? "cutout" : "result", format);
    const again = [["retry", () => this.app.source?.file === file && this.video(format)]];
    await this.follow(name, again, async (job) => {
      const touches = await this.app.retouch.masks();
      return job.run(file, { background, picture, format, name, touches }, engines.headers());
    });
  }

  /** A video that was begun before the page was loaded anew, as its address tells. */
  async resume() {
    const begun = VideoJob.begun();
    if (begun) await this.follow(begun.name, [], (job) => job.resume(begun.id, this.app.engines.headers()));
  }

  async follow(name, again, work) {
    this.job = new VideoJob(document.getElementById("job"));
    try {
      download(await work(this.job), name);
      tell("jobDone", { name });
    } catch (error) {
      if (error.name === "AbortError") return tell("jobCancelled");
      trouble(error.key ?? "serverSaid", { reason: error.message, ...error.values }, again);
    }
  }

  async record() {
    if (this.recorder) return this.recorder.stop();
    const { compositor, source } = this.app;
    if (this.asking) return null; // the browser asks for the microphone already
    this.asking = true;
    const microphone = settings.get("sound") ? await this.microphone() : null;
    this.asking = false;
    if (source !== this.app.source) return microphone?.close();
    this.recorder = new Recorder(compositor, () => this.app.look(), microphone);
    this.app.options();
    this.draw();
    try {
      const { blob, ending } = await this.recorder.done;
      const name = nameFor(source, "result", ending);
      download(blob, name);
      tell("saved", { name });
    } catch (error) {
      trouble("recordFailed", { reason: error.message });
    } finally {
      microphone?.close();
      this.recorder = null;
      this.app.options();
      this.draw();
    }
  }
}
