"""Small whole files of many kinds, and what a seed does to one of them; bench/mutated.py gives the results to koutu."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.random import Generator
from PIL import Image


class Kind(NamedTuple):
    """How a clip is written. sound, text: the codecs of such streams, None for none."""

    codec: str
    pixels: str
    sound: str | None = None
    text: str | None = None
    options: dict[str, str] = {}  # of the encoder  # noqa: RUF012
    container: dict[str, str] = {}  # noqa: RUF012


_HDR = "log-level=none:hdr10=1:repeat-headers=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)"
_CLIPS = {
    "h264.mp4": Kind("libx264", "yuv420p", "aac", "mov_text"),
    "h264.mkv": Kind("libx264", "yuv420p", "libopus", "subrip"),
    "h264.ts": Kind("libx264", "yuv420p", "mp2"),
    "h264.flv": Kind("libx264", "yuv420p", "aac"),
    "fields.mov": Kind("libx264", "yuv420p", "pcm_s16le", options={"x264-params": "tff=1", "flags": "+ildct"}),
    "pieces.mp4": Kind("libx264", "yuv420p", "aac", container={"movflags": "frag_keyframe+empty_moov"}),
    "hevc.mp4": Kind("libx265", "yuv420p10le", options={"x265-params": "log-level=none"}),
    "hdr.mkv": Kind("libx265", "yuv420p10le", "flac", options={"x265-params": f"{_HDR}L(10000000,1):max-cll=900,200"}),
    "prores.mov": Kind("prores_ks", "yuva444p10le", "pcm_s16le"),
    "qtrle.mov": Kind("qtrle", "argb", "pcm_s16le"),
    "vp8.webm": Kind("libvpx", "yuv420p", "libopus"),
    "vp9.webm": Kind("libvpx-vp9", "yuva420p", "libopus"),
    "av1.mkv": Kind("libsvtav1", "yuv420p10le", "libopus", options={"preset": "12"}),
    "mjpeg.avi": Kind("mjpeg", "yuvj422p", "pcm_s16le"),
    "mpeg2.mpg": Kind("mpeg2video", "yuv420p", "mp2"),
    "mpeg4.avi": Kind("mpeg4", "yuv420p"),
    "wmv.asf": Kind("wmv2", "yuv420p", "wmav2"),
    "ffv1.mkv": Kind("ffv1", "yuv444p10le", "flac"),
    "raw.y4m": Kind("wrapped_avframe", "yuv444p"),
    "gif.gif": Kind("gif", "rgb8"),
    "apng.apng": Kind("apng", "rgba"),
}
_PICTURES = {
    "p.png": "RGBA", "p.jpg": "RGB", "p.webp": "RGBA", "p.tif": "RGB", "p.bmp": "RGB", "p.avif": "RGBA",
    "moving.webp": "RGBA", "moving.avif": "RGB",
}  # fmt: skip


def clips(folder: Path) -> list[Path]:
    """Whole files of many kinds, those that this FFmpeg and this Pillow can write."""
    made = [_clip(folder / name, kind) for name, kind in _CLIPS.items()]
    y, x = np.mgrid[:32, :48]
    pixels = np.stack([x * 5, y * 7, x + y, 255 - x], axis=2).astype(np.uint8)
    Image.init()
    for name, mode in _PICTURES.items():
        path = folder / name
        if path.suffix not in Image.EXTENSION:
            continue
        first, *more = [Image.fromarray(np.roll(pixels, 4 * step, 1)).convert(mode) for step in range(4)]
        if name.startswith("moving"):
            first.save(path, save_all=True, append_images=more)
        else:
            first.save(path)
        made.append(path)
    return [path for path in made if path is not None]


def _clip(path: Path, kind: Kind) -> Path | None:
    if kind.codec not in av.codecs_available:
        return None
    with ordinary_priority(), av.open(str(path), "w", container_options=kind.container) as out:
        fast = {"preset": "ultrafast"} if kind.codec in ("libx264", "libx265") else {}
        video: Any = out.add_stream(kind.codec, rate=10, options=fast | kind.options)
        video.height, video.width, video.pix_fmt = 48, 64, kind.pixels
        audio: Any = out.add_stream(kind.sound, rate=48_000, bit_rate=64_000) if kind.sound else None
        text = out.add_mux_stream(kind.text, time_base=Fraction(1, 1000)) if kind.text else None
        out.start_encoding()
        if text is not None:
            out.mux(_caption(text, sized=kind.text == "mov_text"))
        rng = np.random.default_rng(0)
        for index in range(8):
            rgb = np.full((48, 64, 3), (20 * index, 90, 200 - 20 * index), np.uint8)
            rgb[10:30, 4 * index : 4 * index + 20] = rng.integers(0, 255, (20, 20, 3))
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=kind.pixels)
            frame.pts = index
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None:
            _hum(out, audio)
    return path


@contextmanager
def ordinary_priority() -> Iterator[None]:
    """Afterwards the thread is scheduled as before; SVT-AV1 has a thread of root's go before all others for good."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def _caption(stream: Any, *, sized: bool) -> av.Packet:
    """sized: the text's length goes before it."""
    packet = av.Packet(b"\0\5hello" if sized else b"hello")
    packet.pts = packet.dts = 40
    packet.duration, packet.time_base, packet.stream = 100, Fraction(1, 1000), stream
    return packet


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
