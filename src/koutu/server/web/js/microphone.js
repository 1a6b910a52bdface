// The microphone for a recording, held back by as much as the picture takes to be cut out.

const LONGEST = 2; // seconds that sound can be held back

export class Microphone {
  /** Raises what the browser says if there is none or it is not allowed. */
  static async open() {
    const wanted = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
    const context = new AudioContext();
    const delay = context.createDelay(LONGEST);
    const out = context.createMediaStreamDestination();
    context.createMediaStreamSource(stream).connect(delay).connect(out);
    return Object.assign(new Microphone(), { stream, context, delay, track: out.stream.getAudioTracks()[0] });
  }

  /** Latency of the picture, in ms. */
  follow(latency) {
    this.delay.delayTime.setTargetAtTime(Math.min(LONGEST, latency / 1000), this.context.currentTime, 0.2);
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.context.close();
  }
}
