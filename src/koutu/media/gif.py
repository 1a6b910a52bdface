"""Animated GIFs: small, a palette for each picture, and pixels that are seen or not."""

import contextlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.error import BlockingIOError as Waiting
from av.error import EOFError as Ended
from av.error import FFmpegError
from av.filter import Graph

from koutu.color import yuv_to_rgb
from koutu.media.reader import VideoReader
from koutu.types import Alpha, Rgb, Yuv

LONGEST = 640  # pixels of the longer side
MOST = 15  # pictures a second
TICK = Fraction(1, 100)  # seconds that a GIF counts in
SHORTEST = 2  # ticks; players show what is shorter for ten
SEEN = 128  # alpha from which a pixel is seen
EARLY = Fraction(1, 1000)  # seconds by which a picture may come before its turn


class GifSink:
    """Writes pictures of `size` (H, W) into `part` as one animation that starts over at its end."""

    def __init__(self, part: Path, like: VideoReader, size: tuple[int, int], *, alpha: bool):
        self._like, self._alpha = like, alpha
        self.notes: list[str] = []
        height, width = size[0], max(1, round(size[1] * like.pixel_aspect))
        scale = min(1.0, LONGEST / max(height, width))
        self._size = max(1, round(height * scale)), max(1, round(width * scale))
        if scale < 1:
            self.notes.append(f"the GIF is {self._size[1]}×{self._size[0]}, {LONGEST} pixels of its longer side")
        if alpha:
            self.notes.append("GIF has no soft edges: what is seen by half or more is seen")
        if like.viewing.transfer != "sdr":
            self.notes.append("GIF holds no HDR, and its colours look pale; --sdr makes SDR of it first")
        self._container: OutputContainer = av.open(f"file:{part}", "w", "gif")
        try:
            self._stream = self._container.add_stream("gif", rate=100)
            assert isinstance(self._stream, av.VideoStream)
            context = self._stream.codec_context
            context.height, context.width = self._size
            context.pix_fmt, context.time_base = "pal8", TICK
            self._graph = _palettes(self._size)
        except BaseException:
            self.discard()
            raise
        self._last: Fraction | None = None
        self._held: av.Packet | None = None  # until it is known how long it is shown
        self._left_out = 0

    def put(self, picture: Yuv, pts: int, alpha: Alpha | None) -> None:
        """One picture, shown from `pts` in the source's time base on, unless the last one came too shortly before."""
        moment = pts * self._like.time_base
        if self._last is not None and moment - self._last < Fraction(1, MOST) - EARLY:
            self._left_out += 1
            return
        self._last = moment
        frame = av.VideoFrame.from_ndarray(self._small(yuv_to_rgb(picture), alpha), "rgba")
        frame.pts, frame.time_base = round(moment / TICK), TICK
        self._graph.push(frame)
        self._encode()

    def finish(self) -> None:
        """Write all that is waiting."""
        self._graph.push(None)
        self._encode()
        last = [packet for packet in [self._held, *self._stream.encode(None)] if packet is not None]
        if last:
            assert last[-1].pts is not None
            last[-1].duration = max(SHORTEST, round(self._like.end / TICK) - last[-1].pts)
        self._container.mux(last)
        self._container.close()
        if self._left_out:
            self.notes.append(f"{self._left_out} frames were left out: a GIF shows at most {MOST} pictures a second")

    def discard(self) -> None:
        """Let go of the file, whatever state it is in."""
        with contextlib.suppress(FFmpegError, OSError, ValueError):  # it is thrown away
            self._container.close()

    def _small(self, rgb: Rgb, alpha: Alpha | None) -> Rgb:
        """The picture at the GIF's size (h, w, 4); what is not seen takes no part in what is."""
        size = self._size[::-1]
        if alpha is None:
            small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
            return np.dstack([small, np.full(self._size, 255, np.uint8)])
        light = np.dstack([rgb * (alpha[..., None] / np.float32(255)), alpha])
        light = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA))
        seen = light[..., 3:] >= SEEN
        colours = light[..., :3] * 255 / np.maximum(light[..., 3:], SEEN)
        return np.ascontiguousarray(np.dstack([np.rint(np.minimum(colours, 255)), 255 * seen]) * seen, np.uint8)

    def _encode(self) -> None:
        with contextlib.suppress(Waiting, Ended):
            while True:
                frame = self._graph.pull()
                assert isinstance(frame, av.VideoFrame)
                frame.time_base = TICK
                for packet in self._stream.encode(frame):
                    if self._held is not None:
                        self._container.mux(self._held)
                    self._held = packet


def _palettes(size: tuple[int, int]) -> Graph:
    """RGBA in, pictures with 255 colours of their own and one for what is not seen out."""
    graph = Graph()
    source = graph.add_buffer(width=size[1], height=size[0], format=av.VideoFormat("rgba"), time_base=TICK)
    split, made = graph.add("split"), graph.add("palettegen", "stats_mode=single")
    # A pattern that stands still: error diffusion would flicker where nothing moves.
    used = graph.add("paletteuse", f"new=1:dither=bayer:bayer_scale=3:alpha_threshold={SEEN}")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(used, 0, 0)
    split.link_to(made, 1, 0)
    made.link_to(used, 0, 1)
    used.link_to(sink)
    graph.configure()
    return graph
