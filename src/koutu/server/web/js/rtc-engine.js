// The network on the server, over WebRTC: the camera goes there as video, the composite comes back as video.

import { refusal } from "./server-engine.js";
import { Camera, Trouble } from "./source.js";

const PATIENCE_MS = 8000; // for the connection
const WHITE = new ImageData(new Uint8ClampedArray([255, 255, 255, 255]), 1, 1);

export class RtcEngine {
  static where = "server";
  way = "WebRTC";

  /** options: {background, mirror, model}; told: {lost(trouble)}. */
  static async start(source, options, headers, { lost }) {
    const engine = new RtcEngine(lost);
    try {
      await engine.connect(source, options, headers);
      return engine;
    } catch (error) {
      engine.close();
      throw error;
    }
  }

  constructor(lost) {
    this.lost = lost;
    this.about = {};
    this.peer = new RTCPeerConnection();
    this.control = this.peer.createDataChannel("control");
    this.control.onmessage = ({ data }) => this.hear(data);
  }

  async connect(source, options, headers) {
    const { peer } = this;
    peer.addTransceiver(source.stream.getVideoTracks()[0], { direction: "sendrecv", streams: [source.stream] });
    const arrives = new Promise((resolve) => (peer.ontrack = ({ track }) => resolve(track)));
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    const { sdp, type } = peer.localDescription;
    const body = JSON.stringify({ sdp, type, options });
    const send = { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body };
    const answer = await fetch("/api/webrtc", send).catch(() => {
      throw new Trouble("serverLost");
    });
    if (!answer.ok) throw await refusal(answer);
    await peer.setRemoteDescription(await answer.json());
    await within(connected(peer), PATIENCE_MS);
    peer.onconnectionstatechange = () => {
      if (["failed", "disconnected", "closed"].includes(peer.connectionState)) this.end();
    };
    const video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true, srcObject: new MediaStream([await arrives]) });
    await within(video.play(), PATIENCE_MS);
    this.remote = new Camera(video);
    this.remote.stream = video.srcObject;
    this.timer = setInterval(() => this.measure(), 1000);
  }

  /** Frames come when the server sends them. */
  begin() {
    return this.remote;
  }

  /** What came from the server, as the colours of a picture that hides all behind it. */
  matte() {
    return { composed: true, picture: WHITE, fgr: this.remote.element, ms: this.about.latency_ms ?? 0, latency: this.latency };
  }

  want(options) {
    if (this.control.readyState === "open") this.control.send(JSON.stringify(options));
  }

  /** The way there and back, the server's own time, and the wait for a smooth picture. */
  async measure() {
    let trip = 0;
    let wait = 0;
    for (const report of (await this.peer.getStats()).values()) {
      if (report.type === "candidate-pair" && report.nominated) trip = report.currentRoundTripTime ?? trip;
      if (report.type === "inbound-rtp" && report.jitterBufferEmittedCount) {
        wait = report.jitterBufferDelay / report.jitterBufferEmittedCount;
      }
    }
    this.latency = 1000 * (trip + wait) + (this.about.latency_ms ?? 0);
  }

  hear(data) {
    const told = JSON.parse(data);
    if (told.type === "stats") this.about = { ...this.about, ...told };
  }

  end() {
    if (this.closed) return;
    this.close();
    this.lost(new Trouble("serverLost"));
  }

  async reset() {}

  close() {
    this.closed = true;
    clearInterval(this.timer);
    if (this.remote) {
      this.remote.closed = true;
      this.remote.wake();
      this.remote.element.srcObject = null;
    }
    this.peer.close();
  }
}

function connected(peer) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (peer.connectionState === "connected") resolve();
      if (peer.connectionState === "failed") reject(new Trouble("serverLost"));
    };
    peer.onconnectionstatechange = look;
    look();
  });
}

function gathered(peer) {
  if (peer.iceGatheringState === "complete") return null;
  const complete = new Promise((resolve) => {
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
  });
  return Promise.race([complete, new Promise((resolve) => setTimeout(resolve, 1500))]);
}

function within(promise, ms) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Trouble("serverLost")), ms));
  return Promise.race([promise, late]);
}
