"""Keys: what each does, and a terminal that gives them one by one."""

import contextlib
import os
import select
import sys
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from koutu.live.controls import AUTO, Desk
from koutu.types import KoutuError

QUIT = "q"
KEYS = {
    "b": "next background", "B": "previous background", "+": "blur more", "-": "blur less", "m": "next model",
    "g": "gate on, off", "f": "mirror", " ": "pause, go on", "r": "begin the memory anew", "[": "smaller network",
    "]": "larger network", "a": "network size by itself", "i": "figures in the window", "?": "this list", QUIT: "quit",
}  # fmt: skip


def press(key: str, desk: Desk, tell: Callable[[str], None]) -> bool:
    """Do what a key stands for, telling what cannot be done; False for the key that ends the run."""
    steps: dict[str, tuple[str, int]] = {
        "b": ("background", 1), "B": ("background", -1), "+": ("blur", 1), "=": ("blur", 1), "-": ("blur", -1),
        "m": ("model", 1), "g": ("gate", 1), "f": ("mirror", 1), " ": ("paused", 1),
        "[": ("size", -1), "]": ("size", 1),
    }  # fmt: skip
    if key in (QUIT, "\x1b", "\x03"):
        return False
    try:
        if key in steps:
            desk.step(*steps[key])
        elif key in ("r", "a"):
            desk.change(*(("reset", True) if key == "r" else ("size", AUTO)))
        elif key == "?":
            tell("keys: " + ", ".join(f"{'space' if k == ' ' else k} {what}" for k, what in KEYS.items()))
    except KoutuError as error:
        tell(str(error))
    return True


class Terminal:
    """Standard input key by key, as long as it is open; nothing where it is no terminal. Use with `with`."""

    def __init__(self, pressed: Callable[[str], None], stdin: Any = None):
        self._pressed, self._stdin = pressed, stdin or sys.stdin
        self.reads = False
        self._ending = Event()
        self._thread: Thread | None = None
        self._before: list[Any] | None = None

    def __enter__(self) -> "Terminal":
        if self._stdin is not None and self._stdin.isatty() and os.name == "posix":
            import termios
            import tty

            self._before = termios.tcgetattr(self._stdin)
            tty.setcbreak(self._stdin, termios.TCSANOW)
            self._thread = Thread(target=self._read, name="koutu-keys", daemon=True)
            self._thread.start()
            self.reads = True
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        if self._thread is not None and self._before is not None:
            import termios

            self._thread.join(2)
            with contextlib.suppress(termios.error):  # the terminal may be gone
                termios.tcsetattr(self._stdin, termios.TCSANOW, self._before)

    def _read(self) -> None:
        while not self._ending.is_set():
            ready, _, _ = select.select([self._stdin], [], [], 0.2)
            if ready:
                typed = os.read(self._stdin.fileno(), 64)
                if not typed:  # closed
                    return
                if not typed.startswith(b"\x1b"):  # arrows and the like are no keys of ours
                    for key in typed.decode(errors="ignore"):
                        self._pressed(key)
