"""Where a long video is cut, at key frames, before all at scene cuts, so that segments can be matted at one time."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from av.error import FFmpegError

from koutu.media.demux import open_input, video_stream
from koutu.media.reader import open_video
from koutu.pipeline.convert import Span
from koutu.types import InputError

_FORMATS = {"mov", "mp4", "matroska", "webm"}  # which find their way to a moment
_LEAST = Fraction(1, 100)  # seconds of a segment
_EARLY = Fraction(98, 100)  # of the usual time between key frames: encoders put one before its turn at scene cuts


def spans_of(source: Path, seconds: float) -> list[Span]:
    """Segments of about that length, which cover the video; none if it is too short or its times cannot be trusted."""
    try:
        keys, end = _key_frames(source)
    except (FFmpegError, InputError):  # damage, which reading it frame by frame may get past, or will tell
        return []
    cuts = chosen(keys, end, max(_LEAST, Fraction(seconds).limit_denominator(1000)))
    if not cuts:
        return []
    bounds: list[Fraction | None] = [Fraction(0), *cuts, None]
    return [Span(start, until) for start, until in pairwise(bounds) if start is not None]


def chosen(keys: list[Fraction], end: Fraction, length: Fraction) -> list[Fraction]:
    """Of the moments of key frames, those to cut at; no segment is shorter than half the length."""
    usual = max((after - before for before, after in pairwise(keys)), default=Fraction(0))
    scenes = {after for before, after in pairwise(keys) if after - before < _EARLY * usual}
    cuts: list[Fraction] = []
    last = Fraction(0)
    while end - last > Fraction(3, 2) * length:
        goal = last + length
        near = [key for key in keys if abs(key - goal) <= length / 2 and end - key >= length / 2]
        best = [key for key in near if key in scenes and abs(key - goal) <= length / 4] or near
        if best:
            cuts.append(min(best, key=lambda key: abs(key - goal)))
        last = cuts[-1] if best else goal
    return cuts


def _key_frames(source: Path) -> tuple[list[Fraction], Fraction]:
    """Moments of key frames in frames' seconds, and of the last frame; no moments where they cannot be trusted."""
    with open_input(source) as container:
        stream = video_stream(container)
        if stream is None or not _FORMATS & set(container.format.name.split(",")):
            return [], Fraction(0)
        with open_video(source) as reader:
            start = reader.start
        tick, keys, shown, last = Fraction(stream.time_base or 0), list[Fraction](), set[int](), None
        for packet in container.demux(stream):
            if not packet.size:
                continue
            wrong = packet.is_corrupt or packet.is_discard or packet.pts in shown
            if packet.pts is None or packet.dts is None or (last is not None and packet.dts <= last) or wrong:
                return [], Fraction(0)
            last = packet.dts
            shown.add(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts * tick - start)
    return keys, max(shown, default=0) * tick - start
