"""What SIGTERM does to a skill that knows nothing of it: it ends, and its film has an end too."""

import os
import signal
import threading
from types import FrameType
from typing import NoReturn

STOPPED = 128 + signal.SIGTERM


def end(number: int, frame: FrameType | None) -> NoReturn:
    """The handler that skills find; the main thread leaves by SystemExit, and films are finished on the way out."""
    raise SystemExit(STOPPED)


def is_left_to_us() -> bool:
    """Whether the skill has no handler of its own."""
    return signal.getsignal(signal.SIGTERM) is end


def end_reading() -> NoReturn:
    """End a skill that asks for a frame although the video is over, from whatever thread it asks."""
    if threading.current_thread() is threading.main_thread():
        raise SystemExit(STOPPED)
    os.kill(os.getpid(), signal.SIGTERM)
    raise RuntimeError("Failed to read frame")
