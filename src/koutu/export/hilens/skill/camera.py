"""A camera that may go away: it is opened again, later and later, until it is back or time is up."""

import os
import time

import hilens
import nv21

LONGEST_WAIT = 16.0  # seconds between two attempts
BAD_IN_A_ROW = 30  # frames that are no pictures, after which the camera is opened anew


class CameraGone(Exception):
    """No picture for so long that waiting on makes no sense."""


class EndOfFile(Exception):
    """A file has no more frames."""


class Camera:
    """Frames as NV21. Waiting ends as soon as the watch is asked to stop."""

    def __init__(self, settings, watch):
        self.name, self.patience = settings["camera"], settings["camera_seconds"]
        self.wait = settings["camera_wait"] / 1000.0
        self.size = settings["camera_width"], settings["camera_height"]
        self.is_file = os.path.isfile(self.name)
        self.watch = watch
        self.opened = 0  # times; more than one means that it was lost
        self._capture = None
        self._bad = 0
        self._last = None  # when the last picture came

    def read(self):
        """The next frame, or None if it is no picture or it is time to stop. Raises CameraGone, EndOfFile.

        The frame belongs to the framework: it is used before the next is read, and not written to.
        """
        if self._capture is None and not self._open():
            return None
        assert self._capture is not None
        try:
            frame = self._capture.read()
        except Exception as e:  # the framework raises RuntimeError, ValueError after a change of size, or its own
            if self.is_file and self._last is not None:
                raise EndOfFile() from e
            self._lost(f"reading failed: {e}")
            return None
        try:
            frame = nv21.checked(frame)
        except nv21.BadFrame as e:
            self._bad += 1
            hilens.warning(f"camera: {e}")
            if self._bad >= BAD_IN_A_ROW:
                self._lost(f"{self._bad} bad frames in a row")
            return None
        self._bad, self._last = 0, time.monotonic()
        return frame

    def close(self):
        """Let the camera go; the framework closes it with its last reference."""
        self._capture = None

    def _open(self):
        """True when it is open; keeps trying."""
        wait, since = self.wait, self._last or time.monotonic()
        while not self.watch.stop.is_set():
            try:
                self._capture = hilens.VideoCapture(*self._arguments())
            except Exception as e:  # CreateError, or what the driver throws
                if self.is_file or self.name.lower().endswith(".mp4"):
                    raise CameraGone(f"{self.name} cannot be opened: {e}") from e
                if self.patience and time.monotonic() + wait - since > self.patience:
                    raise CameraGone(f"no picture for {self.patience} s, the last error: {e}") from e
                hilens.warning(f"camera: cannot be opened ({e}); again in {wait:.1f} s")
                self.watch.wait(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            else:
                self.opened += 1
                self._bad = 0
                hilens.info("camera: {} is open".format(self.name or "built in"))
                return True
        return False

    def _arguments(self):
        if self.name == "0":
            return (0,)
        if not self.name:
            return ()
        return (self.name,) + (self.size if self.size[0] else ())

    def _lost(self, why):
        hilens.warning(f"camera: {why}; opening it anew")
        self._capture = None
        if self._last is None:
            self._last = time.monotonic()
        if self.patience and time.monotonic() - self._last > self.patience:
            raise CameraGone(f"no picture for {self.patience} s: {why}")
        self.watch.wait(self.wait)  # a camera that opens and yields nothing must not be asked without a pause
