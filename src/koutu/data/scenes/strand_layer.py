"""Strands as a layer: room for them beside a cut-out, their colour and alpha, and the two put together.

All are drawn in opaque or thinned colour at several times the size and shrunk by means, so that what covers a part of a
pixel counts as that part.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

POINTS = 13  # of a curve
_FINER = 4  # times the size at which they are drawn
_FIXED = 4  # bits of a coordinate's fraction
_HAIRLINE, _WIDER = 0.86, 0.8  # pixels that OpenCV's lines of 1 cover across, and even ones more than they say


@dataclass(frozen=True)
class Strands:
    """N curves (N, P, 2) of x, y, from root to tip.

    width (N,): pixels at the root; opacity (N,); colour (N, 3); light (N,): the share of each curve where it shines.
    """

    curves: NDArray[np.float32]
    width: NDArray[np.float32]
    opacity: NDArray[np.float32]
    colour: NDArray[np.float32]
    light: NDArray[np.float32]


def with_room(rgba: NDArray[Any], strands: Strands, most: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The cut-out with as much of nobody beside it as the strands need, and how far (x, y) it lies in that."""
    height, width = rgba.shape[:2]
    edge = 3
    first = strands.curves.reshape(-1, 2).min(axis=0) - edge
    last = strands.curves.reshape(-1, 2).max(axis=0) + edge - (width, height)
    left, top, right, bottom = (int(np.clip(np.ceil(x), 0, most)) for x in (*-first, *last))
    rgb = cv2.copyMakeBorder(np.ascontiguousarray(rgba[..., :3]), top, bottom, left, right, cv2.BORDER_REPLICATE)
    alpha = cv2.copyMakeBorder(
        np.ascontiguousarray(rgba[..., 3]), top, bottom, left, right, cv2.BORDER_CONSTANT, value=(0,)
    )
    return cv2.merge([rgb, alpha]), np.array([left, top], np.float64)


def painted(
    strands: Strands, offset: NDArray[np.float64], size: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[Any]]:
    """The strands as RGBA (h, w, 4), colours times alpha, and the part of the (H, W) picture that it covers."""
    curves = strands.curves + offset
    low = np.clip(np.floor(curves.reshape(-1, 2).min(axis=0)) - 2, 1, None).astype(int)
    high = np.minimum(np.ceil(curves.reshape(-1, 2).max(axis=0)) + 3, np.array(size[::-1]) - 1).astype(int)
    high = np.maximum(high, low + 1)
    fine = np.zeros(((high[1] - low[1]) * _FINER, (high[0] - low[0]) * _FINER, 4), np.uint8)
    points = np.rint(((curves - low + 0.5) * _FINER - 0.5) * 2**_FIXED).astype(np.int32)
    parts = 4
    step = (POINTS - 1) // parts
    at = (np.arange(parts) + 0.5) / parts
    lines = strands.width[:, None] * (1 - 0.8 * at) * _FINER
    thick = np.where(lines <= _HAIRLINE, 1, 2 * np.ceil(np.maximum(lines - _WIDER, 1) / 2)).astype(int)
    drawn = np.where(thick == 1, _HAIRLINE, thick + _WIDER)
    cover = strands.opacity[:, None] * np.minimum(lines / drawn, 1)
    glow = 1 + 0.4 * np.exp(-(((at - strands.light[:, None]) / 0.25) ** 2))
    colour = np.clip(strands.colour[:, None] * glow[..., None], 0, 255) * cover[..., None]
    paint = np.concatenate([colour, 255 * cover[..., None]], axis=2).round().astype(int).tolist()
    for i, widths in enumerate(thick.tolist()):
        for part in range(parts - 1, -1, -1):
            curve = points[i, part * step : (part + 1) * step + 1]
            cv2.polylines(fine, [curve], False, paint[i][part], widths[part], cv2.LINE_8, _FIXED)
    mean = cv2.resize(fine, (int(high[0] - low[0]), int(high[1] - low[1])), interpolation=cv2.INTER_AREA)
    return (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))), mean


def lay_over(layer: NDArray[Any], rgba: NDArray[Any]) -> None:
    """Colours times alpha (h, w, 4) over a cut-out of this size, in place.

    Beside strands, where nobody is, their colours are drawn out, as everywhere around a cut-out.
    """
    on = layer[..., 3] > 0
    near, own = layer[on].astype(np.float32), rgba[on].astype(np.float32)
    seen = own[:, 3:] * (1 - near[:, 3:] / 255)
    union = near[:, 3:] + seen
    colours = (255 * near[:, :3] + own[:, :3] * seen) / union
    rgba[on] = np.rint(np.concatenate([np.minimum(colours, 255), union], axis=1)).astype(np.uint8)
    around = cv2.boxFilter(layer, cv2.CV_32F, (5, 5), normalize=False)
    beside = (around[..., 3] > 0) & (rgba[..., 3] == 0)
    mean = around[beside]
    rgba[beside, :3] = np.rint(np.minimum(mean[:, :3] * 255 / mean[:, 3:], 255)).astype(np.uint8)
