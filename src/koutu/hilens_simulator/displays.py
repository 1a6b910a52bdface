"""Simulated displays: what is shown becomes a video, H.264 by PyAV."""

import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from koutu.hilens_simulator.pixels import split
from koutu.hilens_simulator.session import Session
from koutu.types import OutputError

HDMI, RTMP, H264_FILE = range(3)
SMALLEST = 128
REFUSED = 19  # the framework's INVALID_DST_SIZE


def whole_mark(video: Path) -> Path:
    """The file that says that the run's own video has an end."""
    return video.with_name(f"{video.name}.whole")


class Displays:
    """All displays of a process: one may use HDMI; what each shows also goes to the run's own video."""

    def __init__(self, session: Session):
        self.session, self.pictures = session, 0
        self.rate = Fraction(25)
        self.lock = threading.RLock()  # a thread may show or close while another ends the process
        self._hdmi: Panel | None = None
        self._open: list[Panel] = []

    def open(self, kind: int, path: str | None) -> "Panel":
        """A display; raises OutputError as the constructor of the framework would raise CreateError."""
        if kind == HDMI and self._hdmi is not None:
            raise OutputError("HDMI shows one frame at a time, and another display uses it")
        if kind == RTMP and not str(path).startswith("rtmp://"):
            raise OutputError(f"expected rtmp://…, got {path!r}")
        if kind == H264_FILE and (not path or not os.path.isdir(os.path.dirname(os.path.abspath(path)))):
            raise OutputError(f"expected a file in a folder that is there, got {path!r}")
        targets = [Path(path)] if kind == H264_FILE and path else []
        if self.session.out and not self._open:
            targets.append(Path(self.session.out))
        panel = Panel(self, kind, targets)
        self._open.append(panel)
        self._hdmi = panel if kind == HDMI else self._hdmi
        return panel

    def closed(self, panel: "Panel") -> None:
        """A display was let go."""
        if self._hdmi is panel:
            self._hdmi = None

    def close(self) -> None:
        """Finish all videos."""
        for panel in self._open:
            panel.close()


class Panel:
    """One display; its size is that of its first frame."""

    def __init__(self, displays: Displays, kind: int, targets: list[Path]):
        self._displays, self.kind, self._targets = displays, kind, targets
        self._size: tuple[int, int] | None = None
        self._recordings: list[_Recording] = []

    def show(self, frame: NDArray[Any]) -> int:
        """0, or an error code; raises ValueError for what has no rows and columns."""
        rows, width = frame.shape
        self._displays.pictures += 1
        code = self._displays.session.plan.at("show", self._displays.pictures)
        if code is not None:
            return int(code)
        height = rows * 2 // 3
        if frame.dtype != np.uint8 or rows % 3 or width % 2 or min(width, height) < SMALLEST:
            return REFUSED
        if self._size is None:
            self._size = width, height
            crf = self._displays.session.crf
            run, rate = self._displays.session.out, self._displays.rate
            self._recordings = [
                _Recording(path, self._size, rate, crf, marked=str(path) == run) for path in self._targets
            ]
        if self._size != (width, height):
            return REFUSED
        with self._displays.lock:
            for video in self._recordings:
                video.write(frame)
        return 0

    def close(self) -> None:
        """Finish the videos; more than once is no mistake."""
        with self._displays.lock:
            for video in self._recordings:
                video.close()
            self._recordings = []
        self._displays.closed(self)


class _Recording:
    """A file that grows by a frame at a time: raw H.264 where the name says so."""

    def __init__(self, path: Path, size: tuple[int, int], rate: Fraction, crf: int, *, marked: bool):
        self._path, self._marked = path, marked
        kind = "h264" if path.suffix in (".h264", ".264", "") else None
        self._container = av.open(str(path), "w", format=kind)
        options = {"crf": str(crf), "preset": "veryfast"}
        stream = self._container.add_stream("libx264", rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 6, 1  # BT.601, limited, as cvt_color's
        self._stream, self._count = stream, 0

    def write(self, picture: NDArray[Any]) -> None:
        """One frame of NV21."""
        luma, chroma = split(picture)
        frame = av.VideoFrame(luma.shape[1], luma.shape[0], "yuv420p")
        for plane, values in zip(frame.planes, (luma, chroma[..., 1], chroma[..., 0]), strict=True):
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            rows[: values.shape[0], : values.shape[1]] = values
        frame.pts, self._count = self._count, self._count + 1
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what is left."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        if self._marked:
            whole_mark(self._path).touch()
