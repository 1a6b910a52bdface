"""Simulated cameras: a video stands for each, one frame after the other, without waiting for the clock."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.hilens_simulator.pixels import framed, nv21_of, scaled
from koutu.hilens_simulator.session import Session
from koutu.hilens_simulator.stopping import STOPPED, end_reading, is_left_to_us
from koutu.media.reader import open_video
from koutu.types import InputError, Yuv420

BUILT_IN = (1280, 720)
_SLIVER = 2  # pixels that rounding an aspect to whole pixels leaves over
AFTER_STOP = 100  # frames that a skill may still ask for after SIGTERM


class Cameras:
    """All captures of a process: they share one video, the count of frames and the faults."""

    def __init__(self, session: Session):
        self.session, self.plan = session, session.plan
        self.frames = self.opened = self._refuse = self._asked = 0
        self._video: VideoFile | None = None

    def open(self, arguments: tuple[Any, ...]) -> "Source":
        """What VideoCapture(*arguments) reads; raises InputError."""
        self.opened += 1
        if self.plan.at("open", self.opened) or self._refuse:
            self._refuse = max(0, self._refuse - 1)
            raise InputError("the camera cannot be opened: a fault of the plan")
        camera = arguments[0] if arguments else ""
        if isinstance(camera, str) and os.path.isfile(camera):
            return Source(self, VideoFile(Path(camera)), camera)
        if isinstance(camera, str) and (camera.startswith("/") or camera.endswith(".mp4")):
            raise InputError(f"{camera}: expected a video, found none; check the path")
        if self._video is None:
            url = isinstance(camera, str) and camera.startswith("rtsp://") and not self.session.video
            if not url and not self.session.video:
                raise InputError("the simulated Kit has no camera; give it a video by --video")
            self._video = VideoFile(str(camera) if url else Path(self.session.video))
        return Source(self, self._video, camera)

    def count(self, is_last: bool) -> int:
        """The number of the frame that is being read; sends SIGTERM with the last one of the run.

        A skill that has no handler for it ends when it asks for another frame, so that the last one is shown.
        """
        self.frames += 1
        over = is_last or self.frames == self.session.frames or self.plan.at("stop", self.frames)
        if over and not self._asked:
            self._asked = 1
            if not is_left_to_us():
                os.kill(os.getpid(), signal.SIGTERM)
        elif self._asked:
            self._asked += 1
            if is_left_to_us():
                if self._asked > AFTER_STOP:  # it catches everything; its films are finished
                    os._exit(STOPPED)
                end_reading()
        if self._asked > AFTER_STOP:
            raise RuntimeError("Failed to read frame")  # a skill that does not stop when it is asked to
        return self.frames

    def lose(self, times: int) -> None:
        """The next `times` openings fail."""
        self._refuse = times

    def close(self) -> None:
        """Close the video."""
        if self._video is not None:
            self._video.close()


class VideoFile:
    """Frames of a file or an rtsp:// address as NV21, with a look ahead: `last` tells that nothing follows."""

    def __init__(self, source: Path | str):
        self._reader = open_video(source) if isinstance(source, Path) else None
        self._frames = self._of_file() if self._reader is not None else _streamed(str(source))
        first = next(self._frames, None)
        if first is None:
            raise InputError(f"{source}: expected frames, got none; check that it plays")
        self._next: NDArray[np.uint8] | None = first
        self._shown = first
        self.width, self.height = first.shape[1], first.shape[0] * 2 // 3
        self.rate = float(self._reader.rate or 25) if self._reader is not None else 25.0

    def read(self) -> NDArray[np.uint8] | None:
        """The next frame; None at the end."""
        frame, self._next = self._next, next(self._frames, None)
        self._shown = frame if frame is not None else self._shown
        return frame

    @property
    def last(self) -> bool:
        """Whether the frame just read was the last."""
        return self._next is None

    @property
    def shown(self) -> NDArray[np.uint8]:
        """The frame just read: what a camera goes on seeing when the video is over."""
        return self._shown

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()

    def _of_file(self) -> Iterator[NDArray[np.uint8]]:
        assert self._reader is not None
        for frame in self._reader:
            assert isinstance(frame.picture, Yuv420)
            yield nv21_of(frame.picture)


class Source:
    """One open capture. camera: "" built in, 0 USB, or a name."""

    def __init__(self, cameras: Cameras, video: VideoFile, camera: str | int):
        self._cameras, self._video = cameras, video
        self.is_file = isinstance(camera, str) and os.path.isfile(camera)
        self._built_in = camera == ""
        self._lost = False
        self.rate = video.rate
        self.width, self.height = BUILT_IN if self._built_in else (video.width, video.height)

    def read(self) -> NDArray[np.uint8] | None:
        """The next frame as NV21, or what a fault makes of it; raises RuntimeError where the camera is lost."""
        frame = None if self._lost else self._video.read()
        if self._lost or (frame is None and self.is_file):
            raise RuntimeError("Failed to read frame")
        number = self._cameras.count(self._video.last and not self.is_file)
        lost = self._cameras.plan.at("lose", number, "0")
        if lost is not None:
            self._lost = True
            self._cameras.lose(int(lost))
            raise RuntimeError("Failed to read frame")
        if self._cameras.plan.at("none", number):
            return None
        held = self._cameras.plan.at("hang", number, "3600")
        if held is not None:
            time.sleep(float(held))  # goes on after a signal's handler, as a call into C++ would
        frame = self._video.shown if frame is None else frame
        frame = _fitted(frame, *BUILT_IN) if self._built_in else frame
        size = self._cameras.plan.at("size", number)
        return _forced(frame, size) if size else frame

    def close(self) -> None:
        """Close a video of its own."""
        if self.is_file:
            self._video.close()


def _streamed(url: str) -> Iterator[NDArray[np.uint8]]:
    import av
    from av.error import FFmpegError

    try:
        with av.open(url, options={"rtsp_transport": "tcp"}, timeout=10) as container:
            for frame in container.decode(video=0):
                y, u, v = (_plane(plane) for plane in frame.reformat(format="yuv420p").planes)
                yield nv21_of(Yuv420(y, u, v))
    except (FFmpegError, OSError) as e:
        raise InputError(f"{url}: expected a stream, got {e}; check the address") from e


def _plane(plane: Any) -> NDArray[np.uint8]:
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def _fitted(frame: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The whole frame at another size; black beside it, or above and below, where its aspect is another."""
    w, h = frame.shape[1], frame.shape[0] * 2 // 3
    if (w, h) == (width, height):
        return frame
    part = min(width, round(height * w / h)), min(height, round(width * h / w))
    if max(width - part[0], height - part[1]) <= _SLIVER:
        return scaled(frame, width, height)
    inner = max(2, part[0] & -2), max(2, part[1] & -2)
    return framed(scaled(frame, *inner), width, height)


def _forced(frame: NDArray[np.uint8], size: str) -> NDArray[np.uint8]:
    """The frame at WxH; of an odd size, the bytes of one that is even, as a careless driver would cut them."""
    width, height = map(int, size.split("x"))
    even = scaled(frame, (width + 1) & -2, (height + 1) & -2)
    return np.ascontiguousarray(even[: height * 3 // 2, :width])
