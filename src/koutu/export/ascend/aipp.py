"""AIPP configurations: from what a camera gives to what a network was trained on, as the text that atc and omg read."""

from math import floor
from typing import Any, cast

import numpy as np

from koutu.color import rgb_to_yuv_matrix
from koutu.engines.ascend.aipp import Aipp, Rows
from koutu.engines.ascend.aipp_text import SIDES
from koutu.types import ColorSpace, InputError, Matrix

# name → input_format, and whether its channels are to be swapped
SOURCES = {
    "nv12": ("YUV420SP_U8", False), "nv21": ("YUV420SP_U8", True), "rgb888": ("RGB888_U8", False),
    "bgr888": ("RGB888_U8", True),
}  # fmt: skip
MATRICES = ("bt601", "bt709")

Size = tuple[int, int]
Three = tuple[float, float, float]


def aipp_for(
    size: Size,
    source_format: str = "nv21",
    space: ColorSpace | None = None,
    *,
    source: Size | None = None,
    at: tuple[int, int] | None = None,
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    mean: Three = (0.0, 0.0, 0.0),
    std: Three = (1.0, 1.0, 1.0),
) -> Aipp:
    """What turns a camera's picture into a network's input (1, 3, H, W), RGB, (level / 255 − mean) / std.

    size: (H, W) of the network. source_format: nv21, nv12, rgb888 or bgr888; space: of nv21 and nv12, by default BT.601
    of limited range, as cameras have it. source: (H, W) of the picture, by default what is left of `size` without
    `padding` (top, bottom, left, right; black); of a larger one a part is used, from `at` (top, left) or in the middle.
    Raises InputError for what AIPP cannot do.
    """
    space = space or ColorSpace("bt601")
    if source_format not in SOURCES or space.matrix not in MATRICES:
        raise InputError(
            f"expected a source of {', '.join(SOURCES)} and a matrix of {', '.join(MATRICES)}, got {source_format!r} "
            f"and {space.matrix!r}; choose from these"
        )
    top, bottom, left, right = padding
    window = size[0] - top - bottom, size[1] - left - right
    source = source or window
    if min(window) < 1 or window[0] > source[0] or window[1] > source[1]:
        raise InputError(
            f"expected a source of at least {window[1]}×{window[0]}, got {source[1]}×{source[0]}; AIPP cuts and pads, "
            "but does not scale: scale before it, or name another size"
        )
    at = at or ((source[0] - window[0]) // 4 * 2, (source[1] - window[1]) // 4 * 2)
    if any(padding) and len({m / s for m, s in zip(mean, std, strict=True)}) > 1:
        raise InputError("expected one mean for all channels with a padding, got three: its black has one value")
    kind, swap = SOURCES[source_format]
    whole, rest, scale = _folded(mean, std)
    try:
        return Aipp(
            kind, source, swap=swap, crop=None if window == source else (*at, *window), bias=_bias(kind, space),
            matrix=rows(space) if kind == "YUV420SP_U8" else None, mean=whole, low=rest, scale=scale, padding=padding,
            fill=-mean[0] / std[0],
        )  # fmt: skip
    except ValueError as e:
        raise InputError(str(e)) from e


def rows(space: ColorSpace) -> Rows:
    """The matrix from Y'CbCr to R, G, B in 256ths, rounded: the numbers of the documentation's examples."""
    forward = rgb_to_yuv_matrix(space, 8)[:, :3]
    rounded = np.rint(256 * np.linalg.inv(forward)).astype(int).tolist()
    return cast("Rows", tuple(tuple(row) for row in rounded))


def _bias(kind: str, space: ColorSpace) -> tuple[int, int, int]:
    return (0 if space.full_range else 16, 128, 128) if kind == "YUV420SP_U8" else (16, 128, 128)


def _folded(mean: Three, std: Three) -> tuple[tuple[int, int, int], Three, Three]:
    """mean_chn, min_chn and var_reci_chn: whole levels are subtracted exactly, so that a half float holds the rest."""
    levels = [255.0 * m for m in mean]
    if not all(0 <= level <= 255 for level in levels) or not all(s > 0 for s in std):
        raise InputError(f"expected means in [0, 1] and deviations above 0, got {mean} and {std}; they are of [0, 1]")
    whole: Any = tuple(floor(level) for level in levels)
    rest: Any = tuple(level - floor(level) for level in levels)
    scale: Any = tuple(1 / (255 * s) for s in std)
    return whole, rest, scale


def aipp_text(aipp: Aipp, about: str = "") -> str:
    """The text that atc and omg take by --insert_op_conf. about: a comment above it."""
    height, width = aipp.source
    lines = [
        "aipp_mode: static", f"related_input_rank: {aipp.rank}", f"input_format: {aipp.kind}",
        f"src_image_size_w: {width}", f"src_image_size_h: {height}", *_crop(aipp), *_colours(aipp),
    ]  # fmt: skip
    for name, values in (("mean_chn", aipp.mean), ("min_chn", aipp.low), ("var_reci_chn", aipp.scale)):
        lines += [f"{name}_{i}: {value:.9g}" for i, value in enumerate(values)]
    lines += [f"padding: {_switch(any(aipp.padding))}"]
    if any(aipp.padding):
        lines += [f"{side}_padding_size: {value}" for side, value in zip(SIDES, aipp.padding, strict=True)]
        lines += [f"padding_value: {aipp.fill:.9g}"]
    head = "".join(f"# {line}\n" for line in about.splitlines())
    return f"{head}aipp_op {{\n{''.join(f'  {line}{chr(10)}' for line in lines)}}}\n"


def _crop(aipp: Aipp) -> list[str]:
    lines = [f"crop: {_switch(aipp.crop is not None)}"]
    if aipp.crop:
        top, left, height, width = aipp.crop
        lines += [f"load_start_pos_w: {left}", f"load_start_pos_h: {top}", f"crop_size_w: {width}"]
        lines += [f"crop_size_h: {height}"]
    return lines


def _colours(aipp: Aipp) -> list[str]:
    lines = [f"rbuv_swap_switch: {_switch(aipp.swap)}", f"csc_switch: {_switch(aipp.matrix is not None)}"]
    for r, row in enumerate(aipp.matrix or ()):
        lines += [f"matrix_r{r}c{c}: {number}" for c, number in enumerate(row)]
    if aipp.matrix:
        name = "input_bias" if aipp.kind == "YUV420SP_U8" else "output_bias"
        lines += [f"{name}_{i}: {value}" for i, value in enumerate(aipp.bias)]
    return lines


def _switch(on: bool) -> str:
    return "true" if on else "false"


def color_space(matrix: str, full_range: bool) -> ColorSpace:
    """The space of options that users give; raises InputError for a matrix that AIPP has no numbers for."""
    if matrix not in MATRICES:
        raise InputError(f"expected a matrix of {', '.join(MATRICES)}, got {matrix!r}; convert the camera's picture")
    return ColorSpace(cast("Matrix", matrix), full_range)
