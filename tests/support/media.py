"""Small synthetic videos for the tests, made with PyAV: any codec, timing, colour tags, sound and titles."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

CHAPTERS = [{"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}]


@dataclass
class Clip:
    """What a clip is like; sizes are (H, W), times in ticks of time_base."""

    frames: int = 8
    size: tuple[int, int] = (48, 64)
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    time_base: Fraction = Fraction(1, 25)
    rate: Fraction = Fraction(25)
    pts: list[int] | None = None
    last: int = 0  # how long the last frame is shown, if not 1/rate
    tags: tuple[int, int, int, int] = (2, 2, 2, 0)  # primaries, transfer, matrix, range
    rotation: tuple[int, bool, bool] | None = None  # degrees anticlockwise, hflip, vflip
    aspect: Fraction = Fraction(1)
    options: dict[str, str] = field(default_factory=lambda: {"qp": "0", "preset": "ultrafast", "bf": "2"})
    audio: str | None = None
    layout: str = "stereo"
    language: str = "fra"  # of the sound
    audio_start: Fraction = Fraction(0)
    subtitles: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    chapters: bool = False


def planes(index: int, size: tuple[int, int], depth: int = 8) -> list[NDArray]:
    """Luma and chroma of picture number `index`: a moving ramp with a bright corner, every orientation different."""
    height, width = size
    unit, kind = 2 ** (depth - 8), np.uint8 if depth == 8 else np.uint16
    y, x = np.mgrid[:height, :width]
    luma = (16 + (x * 2 + y * 3 + index * 5) % 200) * unit
    luma[: height // 4, : width // 3] = 220 * unit
    v, u = np.mgrid[: (height + 1) // 2, : (width + 1) // 2]
    return [plane.astype(kind) for plane in (luma, (90 + (u + index) % 60) * unit, (100 + (v * 2) % 50) * unit)]


def video_frame(index: int, size: tuple[int, int], pix_fmt: str = "yuv420p") -> av.VideoFrame:
    """The picture as PyAV has it; formats other than 4:2:0 are made from 4:2:0 by swscale."""
    direct = {"yuv420p": 8, "yuvj420p": 8, "yuv420p10le": 10}
    depth = direct.get(pix_fmt, 8)
    frame = av.VideoFrame(size[1], size[0], pix_fmt if pix_fmt in direct else "yuv420p")
    for target, plane in zip(frame.planes, planes(index, size, depth), strict=True):
        lines = np.frombuffer(memoryview(target), plane.dtype).reshape(-1, target.line_size // plane.itemsize)
        lines[: plane.shape[0], : plane.shape[1]] = plane
    return frame if pix_fmt in direct else frame.reformat(format=pix_fmt)


def make_clip(path: Path, clip: Clip | None = None, /, **changes) -> Path:
    """Write the clip and return its path."""
    clip = clip or Clip(**changes)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(clip.codec, rate=clip.rate, options=clip.options if "264" in clip.codec else {})
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        context.height, context.width = clip.size
        context.pix_fmt = clip.pix_fmt
        context.time_base = stream.time_base = clip.time_base
        context.flags |= Flags.frame_duration
        context.sample_aspect_ratio = clip.aspect
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = clip.tags
        if clip.rotation:
            stream.set_display_rotation(*clip.rotation)
        out.metadata.update(clip.metadata)
        if clip.chapters:
            out.set_chapters(CHAPTERS)  # type: ignore[arg-type]
        sound = _add_sound(out, clip) if clip.audio else None
        text = _add_subtitles(out, clip) if clip.subtitles else None
        out.start_encoding()
        if text is not None:
            _mux_text(out, text)
        for index in range(clip.frames):
            frame = video_frame(index, clip.size, clip.pix_fmt)
            frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = clip.tags
            frame.pts, frame.time_base = clip.pts[index] if clip.pts else index, clip.time_base
            if clip.last:
                frame.duration = clip.pts[index + 1] - frame.pts if clip.pts and index + 1 < clip.frames else clip.last
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None:
            _mux_sound(out, sound, clip)
    return path


def _add_sound(out, clip: Clip):
    sound = out.add_stream(clip.audio, rate=48_000)
    sound.codec_context.layout = clip.layout
    sound.metadata["language"] = clip.language
    return sound


def _mux_sound(out, sound, clip: Clip) -> None:
    """A tone as long as the pictures."""
    seconds = clip.frames / 25
    times = np.arange(int(seconds * 48_000)) / 48_000
    tone = (8000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)
    begin = round(clip.audio_start * 48_000)
    for at in range(0, len(tone), 960):
        part = np.repeat(tone[at : at + 960], av.AudioLayout(clip.layout).nb_channels)[None]  # interleaved
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout=clip.layout)
        frame.sample_rate, frame.pts, frame.time_base = 48_000, begin + at, Fraction(1, 48_000)
        out.mux(sound.encode(frame))
    out.mux(sound.encode(None))


def _add_subtitles(out, clip: Clip):
    return out.add_mux_stream(clip.subtitles, time_base=Fraction(1, 1000))


def _mux_text(out, text) -> None:
    packet = av.Packet(b"hello")
    packet.pts = packet.dts = 40
    packet.duration, packet.time_base, packet.stream = 100, Fraction(1, 1000), text
    out.mux(packet)


def sound_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    """The seconds and bytes of every packet of sound."""
    with av.open(str(path)) as file:
        return [(p.pts * Fraction(p.time_base), bytes(p)) for p in file.demux(audio=0) if p.size and p.pts is not None]


def frame_times(path: Path) -> list[Fraction]:
    """The seconds of every frame, as another program would read them."""
    with av.open(str(path)) as file:
        return [frame.pts * Fraction(frame.time_base or 0) for frame in file.decode(video=0) if frame.pts is not None]
