"""Of what size an export's pictures are, and what of them the network sees."""

from dataclasses import dataclass
from fractions import Fraction

from koutu.engines.exported.card import ratio_of
from koutu.models.base import Network
from koutu.sizes import near_area, whole
from koutu.types import InputError

Size = tuple[int, int]
FINEST = 100  # denominator of a ratio given as a decimal


@dataclass(frozen=True)
class Geometry:
    """size: (H, W) of the pictures; None: any. ratio: of what the network sees to them, if it is not the same.

    seen: (h, w) that the network sees of them, where `size` is given. stride: what its sides are multiples of.
    """

    stride: int
    size: Size | None
    seen: Size | None
    ratio: Fraction | None = None

    @property
    def reduces(self) -> bool:
        """Whether the file itself makes the picture smaller for the network."""
        return self.seen != self.size or (self.size is None and self.ratio is not None)

    def network(self, size: Size) -> Size:
        """(h, w) seen of pictures of (H, W)."""
        return self.seen or (ratio_of(size, self.ratio, self.stride) if self.ratio else size)

    def halvings(self) -> int:
        """How often the picture is halved before it is scaled to what the network sees."""
        count = 0
        if self.size and self.seen:
            height, width = self.size
            while height >= 2 * self.seen[0] and width >= 2 * self.seen[1]:
                height, width, count = (height + 1) // 2, (width + 1) // 2, count + 1
            return count
        while self.ratio and self.ratio * 2 ** (count + 1) <= 1:
            count += 1
        return count


def geometry(network: Network, size: Size | None, ratio: Fraction | None, *, pixels: int, refine: bool) -> Geometry:
    """What is asked for, checked. pixels: that the network is shown of large pictures.

    Without a ratio the network sees the whole picture, or with `refine` about so many pixels. Raises InputError for
    sides that are no multiples of the stride where nothing is scaled, for a ratio beyond 1, and where a size is needed.
    """
    stride = network.stride
    if ratio is not None and not 0 < ratio <= 1:
        raise InputError(f"expected a ratio above 0 and at most 1, got {ratio}; for example 1/4")
    ratio = None if ratio == 1 else ratio
    if size is None:
        if refine and ratio is None:
            raise InputError("expected --ratio to refine pictures of any size, got none; give it, or a fixed --size")
        return Geometry(stride, None, None, ratio)
    if min(size) < 1:
        raise InputError(f"expected a size of at least 1x1, got {_said(size)}")
    seen = ratio_of(size, ratio, stride) if ratio else near_area(size, pixels, stride) if refine else size
    if seen == size and (size[0] % stride or size[1] % stride):
        better = tuple(whole(side, stride) for side in size)
        raise InputError(
            f"expected sides that are multiples of {stride} for this network, got {_said(size)}; "
            f"use --size {_said(better)}"
        )
    if seen[0] > size[0] or seen[1] > size[1]:
        raise InputError(
            f"expected a picture larger than what the network sees of it, {_said(seen)}, got {_said(size)}; "
            "leave --refine and --ratio out, or give a larger --size"
        )
    return Geometry(stride, size, seen, ratio)


def _said(size: tuple[int, ...]) -> str:
    return f"{size[1]}x{size[0]}"
