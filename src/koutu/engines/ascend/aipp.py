"""AIPP, what an Ascend chip does to a frame before a network sees it, on the host and bit for bit as documented.

The order is that of the ATC documentation: channels swapped, crop, colour matrix, mean and variance, padding. The
matrix is in 256ths: whole numbers are summed, shifted right by eight bits (so rounded down) and cut to 0…255. The mean
is subtracted from whole numbers; min_chn and var_reci_chn are half floats, with a rounding after each of both steps. A
chroma sample counts for its four pixels. numpy only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.ascend.aipp_text import MATRIX, SIDES, read_fields
from koutu.types import ModelError

BYTES = {"YUV420SP_U8": 1.5, "RGB888_U8": 3.0}  # of a pixel
LARGEST = 4096  # side of a source
WIDEST_PADDING = 32

Three = tuple[float, float, float]
Rows = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True)
class Aipp:
    """One `aipp_op` of static mode; called with the input's bytes, it gives (1, 3, H, W) float32, all half floats.

    kind: input_format. source: (H, W) of the frame given. rank: number of the input it belongs to. swap: V before U,
    or B before R. crop: top, left, height, width. matrix: 256ths, none without csc_switch; bias: subtracted before it
    from Y'CbCr, added after it to what comes of RGB. Each channel c then is (c − mean − low) · scale. padding: top,
    bottom, left, right, filled with `fill`. Raises ModelError for what the documentation does not allow.
    """

    kind: str
    source: tuple[int, int]
    rank: int = 0
    swap: bool = False
    crop: tuple[int, int, int, int] | None = None
    matrix: Rows | None = None
    bias: tuple[int, int, int] = (16, 128, 128)
    mean: tuple[int, int, int] = (0, 0, 0)
    low: Three = (0.0, 0.0, 0.0)
    scale: Three = (1.0, 1.0, 1.0)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    fill: float = 0.0

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise ModelError(f"AIPP: {problem}")

    @property
    def size(self) -> int:
        """Bytes of the input."""
        return round(self.source[0] * self.source[1] * BYTES[self.kind])

    @property
    def window(self) -> tuple[int, int, int, int]:
        """Top, left, height and width of what is used of the source."""
        return self.crop or (0, 0, *self.source)

    @property
    def output(self) -> tuple[int, int]:
        """(H, W) that the network sees."""
        top, bottom, left, right = self.padding
        return self.window[2] + top + bottom, self.window[3] + left + right

    def __call__(self, data: NDArray[np.uint8]) -> NDArray[np.float32]:
        """data: `size` bytes in any shape."""
        if data.dtype != np.uint8 or data.size != self.size:
            raise ModelError(
                f"AIPP: expected {self.size} bytes of {self.kind}, {self.source[1]}×{self.source[0]}, got {data.size} "
                f"of {data.dtype}; mind the size and the format"
            )
        levels = self.levels(data.reshape(-1))
        planes = [table[plane] for table, plane in zip(self._tables(), levels, strict=True)]
        top, bottom, left, right = self.padding
        edges = ((0, 0), (top, bottom), (left, right))
        padded = np.pad(np.stack(planes), edges, constant_values=np.float16(self.fill))
        return padded[None].astype(np.float32)

    def levels(self, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(3, h, w): the frame after swap, crop and matrix, before mean and variance."""
        planes = self._cropped(data)
        if self.matrix is None:
            return planes
        matrix, whole = np.array(self.matrix, np.int32), planes.astype(np.int32)
        bias = np.array(self.bias, np.int32).reshape(3, 1, 1)
        into_rgb = self.kind == "YUV420SP_U8"
        whole = whole - bias if into_rgb else whole
        summed = np.stack([row[0] * whole[0] + row[1] * whole[1] + row[2] * whole[2] for row in matrix]) >> 8
        return np.clip(summed if into_rgb else summed + bias, 0, 255).astype(np.uint8)

    def _cropped(self, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(3, h, w): Y, Cb, Cr or R, G, B."""
        (height, width), (top, left, h, w) = self.source, self.window
        if self.kind == "RGB888_U8":
            planes = data.reshape(height, width, 3)[top : top + h, left : left + w].transpose(2, 0, 1)
            return planes[::-1] if self.swap else planes
        luma = data[: height * width].reshape(1, height, width)[:, top : top + h, left : left + w]
        chroma = data[height * width :].reshape(height // 2, width // 2, 2).transpose(2, 0, 1)
        chroma = chroma[:, top // 2 : (top + h) // 2, left // 2 : (left + w) // 2].repeat(2, axis=1).repeat(2, axis=2)
        return np.concatenate([luma, chroma[::-1] if self.swap else chroma])

    def _tables(self) -> list[NDArray[np.float16]]:
        """What becomes of each of 256 levels, by channel."""
        levels = np.arange(256, dtype=np.int16)
        each = zip(self.mean, self.low, self.scale, strict=True)
        return [((levels - mean).astype(np.float16) - half(low)) * half(scale) for mean, low, scale in each]


def half(value: float) -> np.float16:
    """The half float that a number in a text becomes."""
    with np.errstate(over="ignore"):  # what is beyond becomes infinite, and is refused as such
        return np.float16(np.float32(value))


def read_aipp(path: Path) -> list[Aipp]:
    """Every `aipp_op` of a text; raises ModelError for one that is missing, unreadable or beyond what is simulated."""
    try:
        found = [_made(fields) for fields in read_fields(path)]
    except ValueError as e:  # ModelError is one
        raise ModelError(str(e) if str(e).startswith(str(path)) else f"{path}: {e}") from e
    if len({aipp.rank for aipp in found}) < len(found):
        raise ModelError(f"{path}: expected one aipp_op for an input, got two; give each its related_input_rank")
    return found


def _made(given: Mapping[str, str]) -> Aipp:
    def three(name: str, kind: type) -> Any:
        return tuple(kind(given[f"{name}_{i}"]) for i in range(3))

    def switch(name: str) -> bool:
        if given[name] not in ("true", "false"):
            raise ValueError(f"expected true or false for {name}, got {given[name]}")
        return given[name] == "true"

    crop = ("load_start_pos_h", "load_start_pos_w", "crop_size_h", "crop_size_w")
    numbers = [int(given[name]) for name in MATRIX] if switch("csc_switch") else []
    matrix: Any = tuple(tuple(numbers[i : i + 3]) for i in (0, 3, 6)) if numbers else None
    padding: Any = tuple(int(given[f"{side}_padding_size"]) for side in SIDES) if switch("padding") else (0, 0, 0, 0)
    return Aipp(
        given["input_format"], (int(given["src_image_size_h"]), int(given["src_image_size_w"])),
        rank=int(given["related_input_rank"]), swap=switch("rbuv_swap_switch"),
        crop=tuple(int(given[name]) for name in crop) if switch("crop") else None,  # type: ignore[arg-type]
        matrix=matrix, bias=three("input_bias" if given["input_format"] == "YUV420SP_U8" else "output_bias", int),
        mean=three("mean_chn", int), low=three("min_chn", float), scale=three("var_reci_chn", float),
        padding=padding, fill=float(given["padding_value"]),
    )  # fmt: skip


def _problems(aipp: Aipp) -> list[str]:
    """What the documentation does not allow."""
    (height, width), (top, left, h, w) = aipp.source, aipp.window
    found = []
    if aipp.kind not in BYTES:
        return [f"expected an input_format out of {', '.join(BYTES)}, got {aipp.kind!r}; choose one"]
    if not (1 <= height <= LARGEST and 2 <= width <= LARGEST):
        found.append(f"expected a source of 1…{LARGEST} rows and 2…{LARGEST} columns, got {width}×{height}; scale it")
    if min(top, left) < 0 or min(h, w) < 1 or top + h > height or left + w > width:
        found.append(f"expected a crop within {width}×{height}, got {w}×{h} at {left}, {top}; move or shrink it")
    if aipp.kind == "YUV420SP_U8" and any(side % 2 for side in (height, width, top, left, h, w)):
        found.append(f"expected even sizes and places with {aipp.kind}, got {width}×{height}, {w}×{h} at {left}, {top}")
    if not all(0 <= side <= WIDEST_PADDING for side in aipp.padding):
        found.append(f"expected paddings of 0…{WIDEST_PADDING}, got {aipp.padding}; crop or scale instead")
    if aipp.matrix and not all(-32768 <= number <= 32767 for row in aipp.matrix for number in row):
        found.append(f"expected a matrix of 16-bit numbers, got {aipp.matrix}; they are in 256ths")
    if not all(0 <= number <= 255 for number in (*aipp.bias, *aipp.mean)):
        found.append(f"expected biases and means in 0…255, got {aipp.bias} and {aipp.mean}; put fractions into min_chn")
    if not all(np.isfinite(half(number)) for number in (*aipp.low, *aipp.scale, aipp.fill)):
        found.append(f"expected half floats, got {aipp.low}, {aipp.scale} and {aipp.fill}; they reach to 65504")
    return found
