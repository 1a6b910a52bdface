"""Memory over hours: python bench/endurance.py video --seconds 7200 | live --seconds 21600 [--size 720 1280].

The sample's people at that size, ten seconds again and again with their sound, go through `koutu.convert` or, in real
time, through a live run that records. --rate 50 is double speed for live. Resident memory is noted once a second;
what it grew by is the slope of a straight line through the second half of the run, when everything is warm.
--minutes ends a run before its length: the figures then are those of what was done.
"""

import argparse
import os
import tempfile
import threading
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import Any

import av
import numpy as np

import koutu
from koutu import machine
from koutu.bench.run import about_run, save
from koutu.live.controls import Desk, LiveSettings
from koutu.live.options import LiveOptions, Reading
from koutu.live.run import Live
from koutu.live.source_address import parse_source
from koutu.media.containers import EncodeOptions
from koutu.zoo import DEFAULT, SAMPLE

PIECE = 10  # seconds


class Watched:
    """Resident megabytes of this process once a second, beside how many frames were done. `over`: no time is left."""

    def __init__(self, minutes: float | None):
        self.rows: list[tuple[float, int, float]] = []  # seconds, frames, megabytes
        self.frames = 0
        self._began, self._seconds = monotonic(), None if minutes is None else 60 * minutes
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        return self._seconds is not None and monotonic() - self._began > self._seconds

    def _look(self) -> None:
        while not self._ended.wait(1):
            self.rows.append((monotonic() - self._began, self.frames, machine.resident_mb() or 0.0))

    def figures(self) -> dict[str, float]:
        """Of all that was noted: how long, how much at a tenth, half and the end, and the slopes."""
        self._ended.set()
        self._thread.join()
        seconds, frames, megabytes = np.array(self.rows).T
        late = slice(len(self.rows) // 2, None)
        a_second = np.polyfit(seconds[late], megabytes[late], 1)[0]
        done = max(1.0, frames[-1] - frames[late][0])
        return {
            "minutes": seconds[-1] / 60, "frames": int(frames[-1]), "peak_mb": machine.peak_mb() or megabytes.max(),
            "mb_at_a_tenth": megabytes[len(megabytes) // 10], "mb_at_half": megabytes[late][0],
            "mb_at_the_end": megabytes[-1], "mb_an_hour": 3600 * a_second,
            "mb_in_1000_frames": 1000 * a_second * (seconds[-1] - seconds[late][0]) / done,
        }  # fmt: skip


def make_clip(path: Path, seconds: int, size: tuple[int, int], rate: int) -> None:
    """Encode a piece of the sample, to and fro; then its packets again and again."""
    piece = path.with_name(f"piece{path.suffix}")
    with av.open(str(piece), "w") as out, koutu.open_video(SAMPLE / "talk.mp4") as reader:
        video: Any = out.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "30"})
        video.height, video.width, video.pix_fmt = *size, "yuv420p"
        audio: Any = out.add_stream("aac", rate=48_000, layout="mono")
        pictures = [av.VideoFrame.from_ndarray(koutu.to_rgb(frame.picture), "rgb24") for frame in reader]
        pictures += pictures[::-1]
        for index in range(PIECE * rate):
            frame = pictures[index % len(pictures)].reformat(size[1], size[0], "yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for second in range(PIECE):
            tone = (0.1 * np.sin(np.arange(48_000) / 20)).astype(np.float32)[None]
            sound = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
            sound.sample_rate, sound.pts, sound.time_base = 48_000, 48_000 * second, Fraction(1, 48_000)
            out.mux(audio.encode(sound))
        out.mux(audio.encode(None))
    streams: dict[int, Any] = {}
    with av.open(str(path), "w") as out:
        for number in range(-(-seconds // PIECE)):
            with av.open(str(piece)) as given:
                if not number:
                    streams = {stream.index: out.add_stream_from_template(stream) for stream in given.streams}
                for packet in given.demux():
                    if (
                        packet.dts is None
                        or packet.pts is None
                        or not 0 <= packet.pts * packet.time_base < PIECE - 0.05
                    ):
                        continue  # so that the next piece begins after this one
                    shift = round(number * PIECE / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream.index]
                    out.mux(packet)
    piece.unlink()


class _Enough(Exception):
    """The minutes are over."""


def video(given: argparse.Namespace, folder: Path, watched: Watched) -> None:
    """Through `koutu.convert`, with alpha beside the composite."""

    def progress(done: int, reader: object) -> None:
        watched.frames = done
        if watched.over:
            raise _Enough

    try:
        koutu.convert(
            folder / "in.mkv", folder / "out.mp4", alpha=folder / "alpha.mp4", background="blur", model=given.model,
            encode=EncodeOptions(preset="ultrafast", crf=35), progress=progress,
        )  # fmt: skip
    except _Enough:
        print("ended before the clip did")


def live(given: argparse.Namespace, folder: Path, watched: Watched) -> None:
    """In real time, the piece again and again, recorded."""
    desk = Desk(LiveSettings("blur", given.model), lambda name, gate: koutu.load(name))
    options = LiveOptions(reading=Reading(loop=True), seconds=given.seconds)
    run = Live(parse_source(str(folder / "in.mkv")), [str(folder / "out.mp4")], desk, options=options)

    def tick(run: Live) -> None:
        watched.frames = run.figures().shown
        if watched.over:
            run.quit()

    report = run.run(tick)
    print(report.figures.line())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("door", choices=("video", "live"))
    parser.add_argument("--seconds", type=int, default=7200, help="of the clip, or of the live run")
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("H", "W"))
    parser.add_argument("--rate", type=int, default=25, help="frames a second of the clip")
    parser.add_argument("--minutes", type=float, help="end then, whatever is left")
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_clip(folder / "in.mkv", given.seconds if given.door == "video" else PIECE, tuple(given.size), given.rate)
        watched = Watched(given.minutes)
        (video if given.door == "video" else live)(given, folder, watched)
        figures = watched.figures()
    for what, value in figures.items():
        print(f"{what:>18} {value:10.2f}")
    if given.json:
        about = {"door": given.door, "size": list(given.size), "rate": given.rate, "pid": os.getpid()}
        save(about_run() | about | figures | {"rows": watched.rows}, given.json)


if __name__ == "__main__":
    main()
