"""The size a described network is shown: fixed, by a side, by its pixels, or the frame's own, in whole multiples."""

import math
from collections.abc import Callable
from dataclasses import dataclass

RULES: dict[str, str] = {"fixed": "", "full": "", "shorter": "side", "longer": "side", "pixels": "pixels"}


@dataclass(frozen=True)
class Size:
    """rule "fixed": `at` (h, w), or the file's own static size, which goes before every rule; "full": the frame's.

    "shorter", "longer": that side becomes `side`; "pixels": about so many in all; the aspect stays. Sides become
    multiples of `multiple`, `plus` so many pixels, by `rounding`. fit "letterbox": the frame keeps its aspect and is
    padded with black on both sides instead of stretched. keep_straddling: with "shorter", frames with one side under
    and one over `side` keep their size, as MODNet's demo does.
    """

    rule: str = "fixed"
    at: tuple[int, ...] = ()
    side: int = 0
    pixels: int = 0
    multiple: int = 1
    plus: int = 0
    rounding: str = "nearest"
    fit: str = "stretch"
    keep_straddling: bool = False

    def content(self, size: tuple[int, int], static: tuple[int, int] | None) -> tuple[int, int]:
        """(h, w) of the frame itself in the network's input, for a frame of (H, W). static: the file's (h, w)."""
        canvas = static or (self.at[0], self.at[1]) if static or self.at else None
        if canvas is not None:
            if self.fit == "stretch":
                return canvas
            scale = min(canvas[0] / size[0], canvas[1] / size[1])
            return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
        scale = self._scale(size)
        if self.fit == "letterbox":
            return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
        return self._whole(size[0] * scale), self._whole(size[1] * scale)

    def canvas(self, content: tuple[int, int], static: tuple[int, int] | None) -> tuple[int, int]:
        """(h, w) of the network's input that holds content of (h, w)."""
        if self.fit == "stretch":
            return content
        if static or self.at:
            return static or (self.at[0], self.at[1])
        height, width = (self._multiple(side, math.ceil) for side in content)
        return height, width

    def _scale(self, size: tuple[int, int]) -> float:
        shorter, longer = min(size), max(size)
        if self.rule == "shorter":
            kept = self.keep_straddling and shorter <= self.side <= longer
            return 1.0 if kept else self.side / shorter
        if self.rule == "longer":
            return self.side / longer
        return math.sqrt(self.pixels / (size[0] * size[1])) if self.rule == "pixels" else 1.0

    def _whole(self, side: float) -> int:
        # A side that is whole but for the float's last digits must not lose a multiple.
        return self._multiple(round(side, 6), {"nearest": round, "down": math.floor, "up": math.ceil}[self.rounding])

    def _multiple(self, side: float, rounded: Callable[[float], int]) -> int:
        return max(1, rounded((side - self.plus) / self.multiple)) * self.multiple + self.plus
