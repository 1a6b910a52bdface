"""The one simulated Kit of a process: its cameras, accelerator, displays and log, made on first use."""

import atexit
import signal
import sys
from functools import lru_cache

from koutu.hilens_simulator.accelerator import Accelerator
from koutu.hilens_simulator.cameras import Cameras
from koutu.hilens_simulator.cloud import Cloud
from koutu.hilens_simulator.displays import Displays
from koutu.hilens_simulator.session import Session, from_environment

LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL")


class Kit:
    """What the functions of the module `hilens` work on."""

    def __init__(self, session: Session):
        self.session = session
        self.cameras, self.displays = Cameras(session), Displays(session)
        self.accelerator = Accelerator(session, lambda level, text: self.log(LEVELS.index(level), text))
        self.cloud = Cloud(session)
        self.ready = self.begun = False  # init went well; it was called
        self.level = LEVELS.index("INFO")

    def log(self, level: int, text: object) -> None:
        """A line on standard error if the level is high enough."""
        if level >= self.level:
            print(f"[{LEVELS[level]}] {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Finish every video."""
        self.displays.close()
        self.cameras.close()


@lru_cache(maxsize=1)
def kit() -> Kit:
    """The process's Kit; its videos are finished when the process ends in an orderly way."""
    made = Kit(from_environment())
    atexit.register(_finish, made)
    return made


def _finish(made: Kit) -> None:
    """Close it, undisturbed by those who are told to stop twice."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    made.close()
