"""From what a client says for a background to the background; a client's words never become a path."""

import re
import secrets
import threading
from time import monotonic

import cv2
import numpy as np
from PIL import ImageColor

from koutu.media.background import Background, Still
from koutu.media.background_spec import make_background
from koutu.server import scenery
from koutu.server.errors import busy
from koutu.types import InputError, Rgb

MAX_SIDE = 1920  # of a background that was sent in
MAX_HELD = 32
_COLOUR = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})|\d{1,3} *, *\d{1,3} *, *\d{1,3}")
_HEX = re.compile(r"([0-9a-f]{3}|[0-9a-f]{6})")
WORDS = (
    'a colour ("#rrggbb", "r,g,b" or its CSS name), "blur", "blur:STRENGTH", '
    f"one of ours ({', '.join(scenery.PICTURES)}) or the name of a background sent to /api/backgrounds"
)


class Backdrops:
    """Backgrounds that clients sent, under names that cannot be guessed, for `minutes` after their last use."""

    def __init__(self, minutes: int):
        self.minutes = minutes
        self._held: dict[str, tuple[float, Rgb]] = {}
        self._lock = threading.Lock()

    def keep(self, rgb: Rgb) -> str:
        """Its name. Larger images are scaled down to 1920 pixels; raises Refused (429) when too many are held."""
        scale = MAX_SIDE / max(rgb.shape[:2])
        if scale < 1:
            size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
        with self._lock:
            self._forget()
            if len(self._held) >= MAX_HELD:
                raise busy(f"expected at most {MAX_HELD} backgrounds at one time, got one more; come again later")
            name = f"sent-{secrets.token_urlsafe(16)}"
            self._held[name] = monotonic(), rgb
        return name

    def background(self, word: str) -> Background:
        """The background a client named; raises InputError."""
        word = word.strip()
        if word in scenery.PICTURES:
            return Still(scenery.picture(word))
        if word.startswith("sent-"):
            return Still(self.sent(word))
        return make_background(plain_word(word))

    def sent(self, name: str) -> Rgb:
        """The image that was sent under this name; raises InputError."""
        with self._lock:
            self._forget()
            if name not in self._held:
                raise InputError("expected the name of a background that is still held, got another; send it again")
            rgb = self._held[name][1]
            self._held[name] = monotonic(), rgb
            return rgb

    def _forget(self) -> None:
        oldest = monotonic() - 60 * self.minutes
        self._held = {name: entry for name, entry in self._held.items() if entry[0] > oldest}


def plain_word(word: str) -> str:
    """A colour or a blur, as `make_background` knows it; raises InputError for everything else, paths above all."""
    word = word.strip().lower()
    if _HEX.fullmatch(word) and word not in ImageColor.colormap:
        word = f"#{word}"  # remove.bg's colours have no #
    if word == "blur" or word.startswith("blur:") or word in ImageColor.colormap or _COLOUR.fullmatch(word):
        return word
    raise InputError(f"expected as background {WORDS}, got {word[:60]!r}; name one of them")
