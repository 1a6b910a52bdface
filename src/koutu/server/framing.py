"""Where the person goes in the result: remove.bg's roi, size, crop, margin, scale and position."""

import re
from dataclasses import dataclass

from koutu.color import shrink, to_rgb
from koutu.server.cut import Box, Cut, pasted
from koutu.types import Frame, InputError

MEGAPIXELS = {
    "preview": 0.25, "small": 0.25, "regular": 0.25, "medium": 1.5, "hd": 4, "full": 25, "4k": 10, "50MP": 50,
}  # fmt: skip
MAX_MARGIN_PX, MAX_MARGIN = 500, 50
_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(px|%)")


@dataclass(frozen=True)
class Length:
    """A number of pixels, or per cent of something."""

    value: float
    percent: bool

    def of(self, whole: int) -> float:
        """In pixels."""
        return self.value * whole / 100 if self.percent else self.value


NONE = Length(0, False)


@dataclass(frozen=True)
class Framing:
    """margin: top, right, bottom, left. scale: of the canvas that the person fills, 0.1…1; position: x, y, 0…1."""

    crop: bool = False
    margin: tuple[Length, Length, Length, Length] = (NONE, NONE, NONE, NONE)
    scale: float | None = None
    position: tuple[float, float] | None = None

    def __call__(self, cut: Cut) -> Cut:
        """The person moved to where they are wanted; unchanged if there is nobody."""
        box = cut.box
        if box is None:
            return cut
        if self.crop:
            cut, box = self._cropped(cut, box)
        if self.scale is None and self.position is None:
            return cut
        return self._moved(cut, box)

    def _cropped(self, cut: Cut, box: Box) -> tuple[Cut, Box]:
        height, width = box[2] - box[0], box[3] - box[1]
        wholes = (height, width, height, width)
        top, right, bottom, left = (round(m.of(w)) for m, w in zip(self.margin, wholes, strict=True))
        part = pasted(cut, (height + top + bottom, width + left + right), (top - box[0], left - box[1]))
        return part, (top, left, top + height, left + width)

    def _moved(self, cut: Cut, box: Box) -> Cut:
        (height, width), (h, w) = cut.size, (box[2] - box[0], box[3] - box[1])
        factor = 1.0 if self.scale is None else min(self.scale * height / h, self.scale * width / w)
        size = max(1, round(h * factor)), max(1, round(w * factor))
        x, y = self.position or (0.5, 0.5)
        rows, columns = slice(box[0], box[2]), slice(box[1], box[3])
        fgr, alpha = cut.fgr[rows, columns].copy(), cut.alpha[rows, columns].copy()
        scaled = Cut(shrink(fgr, size), shrink(alpha, size))
        return pasted(scaled, (height, width), (round((height - size[0]) * y), round((width - size[1]) * x)))


def sized(frame: Frame, name: str) -> Frame:
    """Scaled down to the pixels that remove.bg's `size` allows; "auto" is all there are."""
    most = MEGAPIXELS.get(name, 1000) * 1e6
    height, width = frame.size
    if height * width <= most:
        return frame
    factor = (most / (height * width)) ** 0.5
    size = max(1, int(height * factor)), max(1, int(width * factor))
    return Frame(to_rgb(frame.picture, size), alpha=None if frame.alpha is None else shrink(frame.alpha, size))


def parse_roi(text: str, size: tuple[int, int]) -> Box | None:
    """ "x1 y1 x2 y2", each "12px" or "10%", as a box in an image of `size` (H, W); raises InputError."""
    if not text:
        return None
    lengths = [_length(word, "roi") for word in text.split()]
    if len(lengths) != 4:
        raise InputError(f"expected a roi of four lengths as in '0% 0% 100% 100%', got {text[:60]!r}")
    wholes = (size[1], size[0], size[1], size[0])
    left, top, right, bottom = (min(w, round(le.of(w))) for le, w in zip(lengths, wholes, strict=True))
    box = min(top, bottom), min(left, right), max(top, bottom), max(left, right)
    if box[0] == box[2] or box[1] == box[3]:
        raise InputError(f"expected a roi with at least one pixel in it, got {text[:60]!r}; widen it")
    return box


def parse_framing(crop: bool, crop_margin: str, scale: str, position: str) -> Framing:
    """The framing that remove.bg's fields ask for; raises InputError."""
    wanted = None if scale in ("", "original") else _length(scale, "scale")
    if wanted is not None and not (wanted.percent and 10 <= wanted.value <= 100):
        raise InputError(f"expected a scale of original or 10% … 100%, got {scale[:20]!r}")
    return Framing(crop, _margin(crop_margin), wanted.value / 100 if wanted else None, _position(position))


def _margin(text: str) -> tuple[Length, Length, Length, Length]:
    """One, two or four lengths, as in CSS."""
    lengths = [_length(word, "crop_margin") for word in text.split()] or [NONE]
    if len(lengths) not in (1, 2, 4) or any(le.value > (MAX_MARGIN if le.percent else MAX_MARGIN_PX) for le in lengths):
        raise InputError(
            f"expected a crop_margin of one, two or four lengths, at most {MAX_MARGIN}% or {MAX_MARGIN_PX}px each, "
            f"got {text[:60]!r}"
        )
    top, right, bottom, left = lengths * (4 // len(lengths))
    return top, right, bottom, left


def _position(text: str) -> tuple[float, float] | None:
    if text in ("", "original"):
        return None
    if text == "center":
        return 0.5, 0.5
    lengths = [_length(word, "position") for word in text.split()]
    if len(lengths) not in (1, 2) or not all(le.percent and le.value <= 100 for le in lengths):
        raise InputError(f"expected a position of original, center, '50%' or '50% 50%', got {text[:60]!r}")
    return lengths[0].value / 100, lengths[-1].value / 100


def _length(word: str, name: str) -> Length:
    match = _LENGTH.fullmatch(word)
    if match is None:
        raise InputError(f"expected a {name} in px or %, as 20px or 10%, got {word[:20]!r}")
    return Length(float(match[1]), match[2] == "%")
