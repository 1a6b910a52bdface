"""A window that shows the composite; an optional package draws it."""

import importlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from koutu.color import to_rgb
from koutu.composite import fit
from koutu.extras import pip_line
from koutu.live.flow import Shown, Sound
from koutu.live.keys import QUIT
from koutu.live.output_thread import Sink
from koutu.types import OutputError, Rgb


class Window(Sink):
    """Shows frames, fitted into the window's size, with the figures over them if wanted (key i).

    pressed: is given every key; line: gives the figures. Everything is called by the thread that made it, as windows
    need; `pump` as often as a key should be answered.
    """

    name = "window"

    def __init__(self, pressed: Callable[[str], None], line: Callable[[], str], *, title: str = "koutu live"):
        self._pygame: Any = _pygame()
        self._pressed, self._line, self._title = pressed, line, title
        self._screen: Any = None
        self.figures = True

    def show(self, shown: Shown, sounds: list[Sound]) -> None:
        picture = shown.on_screen
        height, width = picture.size
        screen = self._screen or self._opened(width, height)
        width, height = screen.get_size()
        rgb = np.ascontiguousarray(to_rgb(fit(picture, (height, width), "contain")))
        if self.figures:
            rgb = written_on(rgb, self._line())
        image = self._pygame.image.frombuffer(rgb.data, (width, height), "RGB")
        screen.blit(image, (0, 0))
        self._pygame.display.flip()

    def pump(self) -> None:
        """Answer keys and the window's own buttons."""
        if self._screen is None:
            return
        for event in self._pygame.event.get():
            if event.type == self._pygame.QUIT:
                self._pressed(QUIT)
            elif event.type == self._pygame.KEYDOWN:
                key = "\x1b" if event.key == self._pygame.K_ESCAPE else event.unicode
                self.figures ^= key == "i"
                if key:
                    self._pressed(key)

    def close(self, sounds: list[Sound]) -> list[str]:
        self.abort()
        return []

    def abort(self) -> None:
        self._screen = None
        self._pygame.display.quit()

    def _opened(self, width: int, height: int) -> Any:
        try:
            self._pygame.display.init()
            self._screen = self._pygame.display.set_mode((width, height), self._pygame.RESIZABLE)
        except self._pygame.error as error:
            raise OutputError(
                f"window: expected a screen to open it on, got {error}; use --out page, which shows it in a browser"
            ) from error
        self._pygame.display.set_caption(self._title)
        return self._screen


def written_on(rgb: Rgb, line: str) -> Rgb:
    """The frame with a line of text, broken where it must be, at its lower edge; OpenCV's letters are ASCII alone."""
    scale = max(0.4, min(rgb.shape[:2]) / 1200)
    step, parts = round(28 * scale) + 4, line.replace("×", "x").replace("–", "-").split(" · ")
    rows = [""]
    for part in parts:
        longer = f"{rows[-1]}  {part}".strip()
        fits = cv2.getTextSize(longer, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0] < rgb.shape[1] - 16
        rows = [*rows[:-1], longer] if fits or not rows[-1] else [*rows, part]
    written = rgb.copy()
    top = max(0, rgb.shape[0] - step * len(rows) - 8)
    written[top:] //= 2
    for i, row in enumerate(rows):
        at = 8, top + step * (i + 1) - 4
        cv2.putText(written, row, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return written


def _pygame() -> Any:
    import os

    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        return importlib.import_module("pygame")
    except ImportError as error:
        raise OutputError(
            f"window: expected pygame-ce to draw it, which is not installed; `{pip_line('window')}`, or use "
            "--out page, which shows it in a browser"
        ) from error
