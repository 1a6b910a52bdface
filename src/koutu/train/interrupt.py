"""Ctrl-C and SIGTERM while training: noted, so that the step in hand is finished and a checkpoint written."""

import signal
import threading
from types import FrameType
from typing import Any

from koutu.types import KoutuError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KoutuError):
    """Training was asked to stop and did, after a checkpoint; exit_code is 128 + the signal's number."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.exit_code = 128 + number


class Interruption:
    """Within `with`, `asked` is the number of the signal that came, 0 before one does; a second one acts at once.

    What signals did before is restored at the end. Outside the main thread, where Python allows no handlers, nothing
    is changed.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        self.asked = 0
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            self.__exit__()
            signal.raise_signal(number)
        self.asked = number


def leave_signals(_: int = 0) -> None:
    """For loading processes, which a terminal and a scheduler send the signal too: the first process decides."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
