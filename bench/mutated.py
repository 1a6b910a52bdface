"""Media that is damaged at random, each file read by koutu in a process of its own with bounds on time and memory.

    python bench/mutated.py --count 200 [--first 0] [--folder DIR]
    python bench/mutated.py --one 137 --folder DIR        # that file again, kept, with what koutu says

A number is all there is to a file: it is the seed of which clip is taken and what is done to it. A run is right when
koutu ends by itself with what was asked for, whole, or with an error that it means to give, and then leaves nothing
behind. A crash, any other error, more than the bounds, files left open, an output that cannot be read or is shorter
than reported, or one beside an error is a fault. The process begins as a copy of this one: no file costs a start.
"""

import argparse
import gc
import os
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

import koutu
from koutu.media.containers import EncodeOptions

SECONDS, BYTES = 60, 3 << 30
_CLIPS = {  # name: video codec, its pixels, audio codec
    "h264.mp4": ("libx264", "yuv420p", "aac"), "h264.mkv": ("libx264", "yuv420p", "libopus"),
    "h264.ts": ("libx264", "yuv420p", "mp2"), "h264.flv": ("libx264", "yuv420p", "aac"),
    "hevc.mp4": ("libx265", "yuv420p10le", None), "prores.mov": ("prores_ks", "yuva444p10le", "pcm_s16le"),
    "vp8.webm": ("libvpx", "yuv420p", "libopus"), "vp9.webm": ("libvpx-vp9", "yuva420p", "libopus"),
    "mjpeg.avi": ("mjpeg", "yuvj422p", "pcm_s16le"), "mpeg2.mpg": ("mpeg2video", "yuv420p", "mp2"),
    "ffv1.mkv": ("ffv1", "yuv444p10le", "flac"), "mpeg4.avi": ("mpeg4", "yuv420p", None),
    "gif.gif": ("gif", "rgb8", None), "apng.apng": ("apng", "rgba", None),
}  # fmt: skip
_PICTURES = {"p.png": "RGBA", "p.jpg": "RGB", "p.webp": "RGBA", "p.tif": "RGB", "p.bmp": "RGB"}
_OUTPUTS = "out.mp4", "out.mkv", "out.webm", "out.mov", "pictures"


class Outcome(NamedTuple):
    """What became of a file. fault: what koutu did wrong, "" for nothing."""

    kind: str
    fault: str = ""


class Half(koutu.Backend):
    """Takes the left half of every picture for a person."""

    name = "half"

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return size

    def initial_state(self, size: tuple[int, int]) -> Any:
        return 0

    def __call__(self, rgb: NDArray, state: Any, **hints: NDArray) -> tuple[None, NDArray[np.float32], Any]:
        alpha = np.zeros(rgb.shape[:2], np.float32)
        alpha[:, : rgb.shape[1] // 2] = 1
        return None, alpha, state


def clips(folder: Path) -> list[Path]:
    """Whole files of many kinds, which this FFmpeg can write."""
    made = [_clip(folder / name, *how) for name, how in _CLIPS.items()]
    y, x = np.mgrid[:32, :48]
    pixels = np.stack([x * 5, y * 7, x + y, 255 - x], axis=2).astype(np.uint8)
    for name, mode in _PICTURES.items():
        Image.fromarray(pixels).convert(mode).save(folder / name)
        made.append(folder / name)
    return [path for path in made if path is not None]


def _clip(path: Path, codec: str, pix_fmt: str, sound: str | None) -> Path | None:
    if codec not in av.codecs_available:
        return None
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream(codec, rate=10)
        video.height, video.width, video.pix_fmt = 48, 64, pix_fmt
        if codec in ("libx264", "libx265"):
            video.options = {"preset": "ultrafast"} | ({"x265-params": "log-level=none"} if "265" in codec else {})
        audio: Any = out.add_stream(sound, rate=48_000) if sound else None
        rng = np.random.default_rng(0)
        for index in range(8):
            rgb = np.full((48, 64, 3), (20 * index, 90, 200 - 20 * index), np.uint8)
            rgb[10:30, 4 * index : 4 * index + 20] = rng.integers(0, 255, (20, 20, 3))
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=pix_fmt)
            frame.pts = index
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None:
            _hum(out, audio)
    return path


def _hum(out: Any, audio: Any) -> None:
    resampler = av.AudioResampler(audio.format.name, audio.layout.name, 48_000, audio.frame_size or 1024)
    samples = (np.sin(np.arange(38_400) / 20) * 8000).astype(np.int16)[None]
    hum = av.AudioFrame.from_ndarray(samples, "s16", "mono")
    hum.sample_rate, hum.pts = 48_000, 0
    for frame in [*resampler.resample(hum), *resampler.resample(None)]:
        out.mux(audio.encode(frame))
    out.mux(audio.encode(None))


def mutated(files: list[Path], seed: int) -> tuple[str, bytes]:
    """A name and the bytes that a seed stands for."""
    rng = np.random.default_rng(seed)
    path = files[rng.integers(len(files))]
    data = bytearray(path.read_bytes())
    for _ in range(rng.integers(1, 4)):
        change = _CHANGES[rng.integers(len(_CHANGES))]
        data = change(data, rng, files) or bytearray(b"\0")
    return path.name, bytes(data)


def _flipped(data: bytearray, rng: Generator, files: list[Path]) -> bytearray:
    for _ in range(2 ** rng.integers(0, 7)):
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return data


def _head_flipped(data: bytearray, rng: Generator, files: list[Path]) -> bytearray:
    for _ in range(2 ** rng.integers(0, 4)):
        data[rng.integers(min(len(data), 1024))] ^= 1 << rng.integers(8)
    return data


def _cut(data: bytearray, rng: Generator, files: list[Path]) -> bytearray:
    return data[: rng.integers(1, len(data) + 1)]


def _without_beginning(data: bytearray, rng: Generator, files: list[Path]) -> bytearray:
    return data[rng.integers(0, min(len(data), 4096)) :]


def _hollow(data: bytearray, rng: Generator, files: list[Path]) -> bytearray:
    first, last = _span(data, rng)
    data[first:last] = bytes(last - first)
    return data


def _number(data: bytearray, rng: Generator, files: list[Path]) -> bytearray:
    """Four bytes become a number that lengths and counts rarely are."""
    odd = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, int(rng.integers(2**32)))
    at = rng.integers(len(data))
    data[at : at + 4] = odd[rng.integers(len(odd))].to_bytes(4, ("big", "little")[rng.integers(2)])
    return data


def _doubled(data: bytearray, rng: Generator, files: list[Path]) -> bytearray:
    first, last = _span(data, rng)
    return data[:last] + data[first:]


def _spliced(data: bytearray, rng: Generator, files: list[Path]) -> bytearray:
    """A piece of another file, of the same kind or not, in the place of one."""
    other = files[rng.integers(len(files))].read_bytes()
    (first, last), (begin, end) = _span(data, rng), _span(other, rng)
    return data[:first] + other[begin:end] + data[last:]


def _span(data: bytes | bytearray, rng: Generator) -> tuple[int, int]:
    first, last = sorted(rng.integers(0, len(data) + 1, 2))
    return int(first), int(last)


_CHANGES: tuple[Callable[[bytearray, Generator, list[Path]], bytearray], ...] = (
    _flipped, _head_flipped, _cut, _without_beginning, _hollow, _number, _doubled, _spliced,
)  # fmt: skip


def tried(source: Path, folder: Path, seed: int, *, seconds: float = SECONDS) -> Outcome:
    """The file at `source` through koutu in a process of its own, which writes into `folder`, an empty one."""
    said = folder.with_suffix(".said")
    pid = os.fork()
    if not pid:
        _child(source, folder, seed, said)
    end, status, done = monotonic() + seconds, 0, 0
    while not done and monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        sleep(0.01)
    if not done:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return Outcome("hang", f"did not end within {seconds:g} s")
    text = said.read_text(errors="replace") if said.exists() else ""
    said.unlink(missing_ok=True)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return Outcome("hang" if number in (signal.SIGXCPU, signal.SIGKILL) else "crash", f"signal {number}")
    kind, _, fault = text.partition("\n")
    return Outcome(kind or "crash", fault if kind else f"ended with {os.WEXITSTATUS(status)} and no word")


def _child(source: Path, folder: Path, seed: int, said: Path) -> None:
    """Never returns. said: gets the outcome, its kind on the first line and the fault on the others."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    try:
        outcome = _judged(source, folder, seed)
    except BaseException:
        outcome = Outcome("error", traceback.format_exc())
    said.write_text("\n".join(outcome))
    os._exit(0)


def _judged(source: Path, folder: Path, seed: int) -> Outcome:
    before = set(os.listdir("/proc/self/fd"))
    target = folder / _OUTPUTS[seed % len(_OUTPUTS)]
    is_picture = source.name.startswith("p.") and seed % 2 == 0
    try:
        kind = _picture(source, folder / "out.png") if is_picture else _video(source, target)
    except koutu.KoutuError as error:
        left = sorted(path.name for path in folder.iterdir())
        return Outcome(type(error).__name__, f"{left} was left beside: {error}" if left else "")
    except MemoryError:
        return Outcome("memory", f"more than {BYTES >> 20} MiB")
    gc.collect()
    opened = set(os.listdir("/proc/self/fd")) - before
    still = [name for name in opened if os.path.exists(f"/proc/self/fd/{name}")]
    return Outcome(kind, f"{len(still)} files are still open" if still else "")


def _picture(source: Path, target: Path) -> str:
    koutu.convert_image(source, target, backend=Half())
    with Image.open(target) as image:
        image.load()
    return "picture"


def _video(source: Path, target: Path) -> str:
    clear = target.suffix in ("", ".mov")
    look = "transparent" if clear else "#204060"
    report = koutu.convert(
        source, target, background=look, model=Half(), encode=EncodeOptions(preset="ultrafast"), refine=False
    )
    with koutu.open_video(target) as reader:
        count = sum(1 for _ in reader)
    if count != report.frames or reader.lost:
        raise AssertionError(f"{report.frames} frames were reported, {count} are there, {reader.lost}")
    return "damaged, told" if report.lost else "whole"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--one", type=int)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="by the clock; more on a busy machine")
    parser.add_argument("--folder", type=Path, help="where files are made, and those of faults kept")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    (folder / "whole").mkdir(parents=True, exist_ok=True)
    files = clips(folder / "whole")
    seeds = range(given.first, given.first + given.count) if given.one is None else [given.one]
    counts, faults = Counter[str](), []
    for seed in seeds:
        name, data = mutated(files, seed)
        place = folder / f"{seed}"
        place.mkdir(exist_ok=True)
        source = folder / f"{seed}-in" / name
        source.parent.mkdir(exist_ok=True)
        source.write_bytes(data)
        outcome = tried(source, place, seed, seconds=given.seconds)
        counts[outcome.kind] += 1
        if outcome.fault:
            faults.append(seed)
            print(f"seed {seed}, {name}: {outcome.kind}: {outcome.fault}", flush=True)
        if given.one is None and not outcome.fault:
            for path in [*place.rglob("*"), source]:
                if path.is_file():
                    path.unlink()
    print(f"{len(seeds)} files: {dict(counts.most_common())}; {len(faults)} faults: {faults}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
