"""What flows through koutu: pictures and frames, and the errors a caller can meet."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from numpy.typing import NDArray

# uint8 both; not said to the type checker, because OpenCV's stubs forget number types
Rgb: TypeAlias = NDArray[Any]  # (H, W, 3), full range, gamma-encoded as it came
Alpha: TypeAlias = NDArray[Any]  # (H, W), 0 background … 255 foreground
Matrix: TypeAlias = Literal["bt601", "bt709", "bt2020"]
AnyYuv = TypeVar("AnyYuv", bound="Yuv")


@dataclass(frozen=True, slots=True)
class ColorSpace:
    """How Y'CbCr numbers mean colours: the matrix coefficients and whether 0…255 or 16…235 is black to white."""

    matrix: Matrix = "bt709"
    full_range: bool = False


@dataclass(frozen=True, slots=True)
class Yuv:
    """A planar Y'CbCr picture: one of the kinds below, which say how large its chroma is.

    y: (H, W); u (Cb), v (Cr). uint8 for depth 8; uint16 holding 0…1023 for depth 10.
    Planes are C-contiguous and owned by the picture: nobody writes into them after it is made.
    """

    y: NDArray
    u: NDArray
    v: NDArray
    space: ColorSpace = ColorSpace()
    depth: int = 8

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.y.shape[0], self.y.shape[1]

    def with_planes(self: AnyYuv, y: NDArray, u: NDArray, v: NDArray) -> AnyYuv:
        """A picture of the same kind."""
        return type(self)(y, u, v, self.space, self.depth)


@dataclass(frozen=True, slots=True)
class Yuv420(Yuv):
    """4:2:0, as cameras and players have it: chroma (ceil(H/2), ceil(W/2))."""


@dataclass(frozen=True, slots=True)
class Yuv444(Yuv):
    """4:4:4, as editors have it: chroma (H, W)."""


Picture: TypeAlias = Yuv | Rgb


class Planes(NamedTuple):
    """What kind of planar picture."""

    space: ColorSpace
    depth: int
    kind: type[Yuv] = Yuv420


def picture_size(picture: Picture) -> tuple[int, int]:
    """(H, W) of either kind of picture."""
    return picture.size if isinstance(picture, Yuv) else (picture.shape[0], picture.shape[1])


Lines: TypeAlias = Literal["all", "top", "bottom"]
Transfer: TypeAlias = Literal["sdr", "pq", "hlg"]
Primaries: TypeAlias = Literal["bt709", "p3", "bt2020"]


@dataclass(frozen=True, slots=True)
class Viewing:
    """How a screen shows pictures: what light their numbers mean, and a pixel's width / height.

    codes: primaries and transfer as the stream tells them, in the numbers of ITU-T H.273, to be written again; 2:
    unknown.
    """

    transfer: Transfer = "sdr"
    primaries: Primaries = "bt709"
    pixel_aspect: Fraction = Fraction(1)
    codes: tuple[int, int] = field(default=(2, 2), compare=False)


@dataclass(frozen=True, slots=True)
class Notes:
    """What a photograph's file says beside its pixels: EXIF, XMP, and dots an inch (horizontal, vertical)."""

    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a stream and the moment it is shown: pts · time_base seconds.

    alpha: (H, W) uint8 of what was cut away before it came here; None where nothing was. Colours are not multiplied by
    it, and hold nothing of what it hides. viewing: how it is meant to be shown, which what joins it must meet. part:
    counts the stream's changes of size, rotation or colours, before each of which memory of the past is no help.
    lines: those that were seen at this moment, for one field of an interlaced frame; the others are worked out.
    """

    picture: Picture
    pts: int = 0
    time_base: Fraction = Fraction(1, 90_000)
    alpha: Alpha | None = None
    viewing: Viewing = Viewing()
    part: int = 0
    lines: Lines = "all"
    notes: Notes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return picture_size(self.picture)

    @property
    def seconds(self) -> Fraction:
        """When the frame is shown, exactly."""
        return self.pts * self.time_base


class KoutuError(Exception):
    """Something the caller can mend; says what was expected, what came and what to do."""

    exit_code = 1


class InputError(KoutuError, ValueError):
    """The given picture, video or background cannot be used."""

    exit_code = 3


class OutputError(KoutuError, OSError):
    """The result cannot be written as asked."""

    exit_code = 4


class ModelError(KoutuError, ValueError):
    """The model, its file, the engine or the device cannot be used."""

    exit_code = 5
