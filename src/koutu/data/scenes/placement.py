"""Where somebody could stand in a sample, so that no edge that their image cut shows, and how they come and go."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from koutu.data.scenes.cutouts import Body
from koutu.data.scenes.motion import Track, passage

_LARGEST = 1.8  # times its packed size, beyond which somebody would be all blur


@dataclass(frozen=True)
class Stand:
    """Where somebody stands: base (2, 3), packed pixels → sample; outside: points that must stay out of the sample."""

    base: NDArray[np.float64]
    outside: Mapping[str, NDArray[np.float64]]
    foot: tuple[float, float]


def placed(body: Body, size: tuple[int, int], rng: np.random.Generator, side: float = 0.0, share: float = 0.0) -> Stand:
    """Somewhere sensible: a body cut by its image's border will be cut by the sample's.

    side: from -1, left, to 1; 0 for anywhere. share: of the sample's height that the body takes; 0 for any.
    Where a side of the image cuts only the lower body, what lies below that may go under the sample's lower edge.
    """
    width, (left, top, right, bottom) = body.size[1], body.box
    outside = _cut_points(body)
    sides = [body.cut[side][0] for side in ("left", "right") if side in body.cut]
    lowest = min(sides, default=bottom)
    if sides and lowest > top + 0.65 * (bottom - top) and rng.random() < 0.7:
        bottom = lowest
        outside = {side: points for side, points in outside.items() if side == "top"}
        outside["bottom"] = np.array([[0, bottom], [width, bottom]], np.float64)
    cut, beheaded = "bottom" in outside, "top" in outside
    share = share or rng.uniform(0.35, 1.2)
    if cut and beheaded:
        share = max(share, 1.02)
    scale = min(share * size[0] / max(1, bottom - top), _LARGEST)
    tall = scale * (bottom - top)
    if beheaded:
        y = 0.0
    elif cut:
        y = size[0] - tall * rng.uniform(0.85, 1)
    else:
        y = rng.uniform(0.7, 1.2) * size[0] - tall if rng.random() < 0.85 else rng.uniform(-0.3, 0.6) * size[0]
    off = rng.uniform(0.1, 0.38) * side if side else rng.uniform(-0.35, 0.35)
    x = size[1] / 2 + off * size[1] - scale * (left + right) / 2
    stretched = scale * np.exp(rng.normal(0, 0.05))
    base = np.array([[stretched, 0, x], [0, scale, y - scale * top]])
    middle = (left + right) / 2
    if not cut and not beheaded:
        turn = np.deg2rad(rng.normal(0, 4))
        base[:, :2] = base[:, :2] @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return Stand(base, outside, tuple(base @ (middle, bottom, 1)))  # type: ignore[arg-type]


def nearness_of(body: Body, stand: Stand, size: tuple[int, int]) -> float:
    """Feet lower in the image are nearer; of those who are cut off, who is larger."""
    left, _, right, _ = body.box
    if "bottom" in stand.outside:
        return 10 + float(stand.base[1, 1]) * (right - left)
    return stand.foot[1] / size[0]


def _cut_points(body: Body) -> dict[str, NDArray[np.float64]]:
    height, width = body.size
    ends = {"left": (0, None), "right": (width, None), "top": (None, 0), "bottom": (None, height)}
    points = {}
    for side, span in body.cut.items():
        x, y = ends[side]
        points[side] = np.array([(x if x is not None else s, y if y is not None else s) for s in span], np.float64)
    return points


def walk(
    rng: np.random.Generator, track: Track, body: Body, stand: Stand, size: tuple[int, int]
) -> NDArray[np.float64]:
    """Offsets of somebody who comes or goes through a side, or from below if a side cuts them; none if it must show."""
    frames = len(track)
    left, top, right, bottom = body.box
    seen = track[frames // 2] @ np.array([[left, right, left, right], [top, top, bottom, bottom], [1, 1, 1, 1]])
    if "left" not in stand.outside and "right" not in stand.outside:
        away = (size[1] - seen[0].min(), 0.0) if rng.random() < 0.5 else (-seen[0].max(), 0.0)
    elif "top" not in stand.outside:
        away = (0.0, size[0] - seen[1].min())
    else:
        return np.zeros((frames, 2))
    at = np.linspace(0, 1, frames)
    return passage(rng, at, (1.1 * away[0], 1.1 * away[1]))
