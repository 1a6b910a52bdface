"""Where hair is on a cut-out, as far as that is sure: above and beside a face, of one colour that is not the skin's.

A face must be seen (`koutu.data.scenes.faces`), the outline must run around it as around a head, and what lies between
the two must look like hair all along. Bald heads, most hats, hands, heads from behind and heads beyond the picture have
none for that reason. Hair that is missed costs nothing; a strand on a sleeve is a lie.
"""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.scenes.faces import Face, find_faces
from koutu.types import Alpha

_ANGLES, _RADII, _FAR = 96, 64, 3.2  # of the polar picture around a face, whose radius is so many of its sides
_PER_SIDE = _RADII / _FAR
_POLAR = cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS
_TOP = 55  # degrees to either side of straight up, where hair must be
_UP = np.abs((np.arange(_ANGLES) * 360 / _ANGLES + 90) % 360 - 180) >= 180 - _TOP
_LIGHTNESS = 0.45  # how much a difference in lightness counts beside one in colour
_CONTRAST = 13.0  # that skin and hair differ by, in CIELAB so weighed
_EVEN = 12.0  # by which hair may differ from its mean colour
_SHARE = 0.75  # of the places, and of the directions, in which it must
_DEPTH = (0.1, 0.8)  # from forehead to outline, in sides: what hair has nearly everywhere, and what only hats have
_ROUND = 0.8, 1.85  # sides from the middle of the face to the outline of a head, with its hair
_PALEST, _MOST = 76.0, 34.0  # lightness of white hair, beyond which it is cloth, and chroma of natural hair
_LOW, _THICK = 0.76, 0.38  # sides: what begins so near the eyes and is so deep may be a hat
_PATTERN = 8.0  # unevenness in lightness from pixel to pixel that only printed cloth has
_REACH = (1.7, 1.9, 2.0)  # sides from the middle of the face to either side, up and down, where hair is looked for


@dataclass(frozen=True)
class Hair:
    """Of one head. mask (h, w) bool, whose first pixel is at `corner` (x, y) of the picture; face: in its pixels.

    colour (3,): RGB. depth: from forehead to outline, in sides of the face. long: it hangs beside the mouth.
    """

    mask: NDArray[np.bool_]
    corner: tuple[int, int]
    face: Face
    colour: NDArray[np.float32]
    depth: float
    long: bool

    @property
    def side(self) -> float:
        return self.face.side

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns of the picture that the mask is of."""
        (x, y), (height, width) = self.corner, self.mask.shape
        return slice(y, y + height), slice(x, x + width)

    def placed(self, matrix: NDArray[np.float64], size: tuple[int, int]) -> "Hair":
        """On a picture (H, W) that a (2, 3) map without turns made of this one."""
        ends = matrix[:, :2] @ np.array([self.corner, np.add(self.corner, self.mask.shape[::-1])]).T + matrix[:, 2:]
        left, top = np.clip(np.floor(ends[:, 0]).astype(int), 0, np.array(size[::-1]) - 1)
        right, bottom = np.clip(np.ceil(ends[:, 1]).astype(int), (left + 1, top + 1), size[::-1])
        shift = matrix.copy()
        shift[:, 2] += matrix[:, :2] @ self.corner - (left, top)
        mask = cv2.warpAffine(self.mask.astype(np.uint8) * 255, shift, (int(right - left), int(bottom - top))) > 127
        x, y = matrix @ (self.face.x, self.face.y, 1)
        face = replace(self.face, x=float(x), y=float(y), side=self.face.side * float(matrix[1, 1]))
        return replace(self, mask=mask, corner=(int(left), int(top)), face=face)

    def roots(self, alpha: Alpha) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(N, 2) places x, y in the hair, near the outline of its picture's alpha (H, W), and near the forehead."""
        inside = cv2.distanceTransform((alpha[self.part] > 127).astype(np.uint8), cv2.DIST_L2, 3)
        rim = self.mask & (inside > 1.2) & (inside < max(3.0, 0.08 * self.side))
        x, y = np.subtract(self.face.middle, self.corner)
        rows, columns = np.ogrid[: self.mask.shape[0], : self.mask.shape[1]]
        forehead = (rows < y - 0.35 * self.side) & (abs(columns - x) < 0.55 * self.side)
        line = self.mask & (cv2.erode(self.mask.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0)
        inner = line & forehead & (inside > max(3.0, 0.1 * self.side))
        return np.argwhere(rim)[:, ::-1] + self.corner, np.argwhere(inner)[:, ::-1] + self.corner


def find_hair(rgba: NDArray[np.uint8]) -> tuple[Hair, ...]:
    """The hair of everybody on a cut-out (H, W, 4) of whom a face and hair are sure."""
    rgb, alpha = np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
    found = (_hair_of(rgb, alpha, face) for face in find_faces(rgb, alpha))
    return tuple(hair for hair in found if hair is not None)


def _hair_of(rgb: NDArray[np.uint8], alpha: Alpha, face: Face) -> Hair | None:
    rgb, alpha, corner = _around(rgb, alpha, face)
    head = replace(face, x=face.x - corner[0], y=face.y - corner[1])
    sharp = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(sharp, (0, 0), max(0.5, 0.02 * face.side))
    skin = np.median(lab[head.part(0.15, 0.85, 0.4, 0.72)].reshape(-1, 3), axis=0)
    seen = _seen(lab, alpha, head, skin)
    if seen is None:
        return None
    colour, spread, depth = seen
    mask = _grown(lab, alpha, head, (skin, colour), min(22.0, max(_EVEN, 2.5 * spread)))
    if mask.sum() < 0.15 * face.side**2 or not _all_around(mask, head) or _patterned(sharp[..., 0], mask, head):
        return None
    beside = mask[head.part(0, 1, 0.75, 1.05)[0]].sum() > 0.1 * face.side**2
    colours = rgb[mask].mean(axis=0).astype(np.float32)
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    margin = 2 + int(0.15 * face.side)  # as much beside it as shows where the outline runs
    x, y = max(0, left - margin), max(0, top - margin)
    mask = mask[y : top + height + margin, x : left + width + margin]
    return Hair(mask, (corner[0] + x, corner[1] + y), face, colours, depth, bool(beside))


def _around(rgb: NDArray[np.uint8], alpha: Alpha, face: Face) -> tuple[NDArray[np.uint8], Alpha, tuple[int, int]]:
    """The part of a picture that holds a head, and its corner (x, y)."""
    (x, y), side = face.middle, face.side
    left, top = max(0, int(x - 2 * side)), max(0, int(y - 2.2 * side))
    part = np.s_[top : int(y + 2.4 * side), left : int(x + 2 * side)]
    return rgb[part], alpha[part], (left, top)


def _seen(lab: NDArray[Any], alpha: Alpha, face: Face, skin: NDArray[Any]) -> tuple[NDArray[Any], float, float] | None:
    """Colour, spread and depth of what is between forehead and outline in all directions upwards, if it is hair."""
    colours, covered = (_polar(x, face) for x in (lab, alpha))
    colours, covered = colours[_UP], covered[_UP] > 127
    start = int(0.5 * _PER_SIDE)
    covered[:, :start] = True
    ends = np.where(covered.all(axis=1), _RADII, covered.argmin(axis=1))
    if not _ROUND[0] < np.median(ends) / _PER_SIDE < _ROUND[1] or ends.max() > 1.3 * _ROUND[1] * _PER_SIDE:
        return None
    rays = [colours[i, max(start, end - int(0.22 * _PER_SIDE)) : end - 1] for i, end in enumerate(ends)]
    every = np.concatenate(rays)
    colour = np.median(every, axis=0)
    off = _difference(every, colour)
    even = min((off < _EVEN).mean(), np.mean([np.median(_difference(x, colour)) < _EVEN for x in rays if len(x)]))
    blue = colour[2] < -8 and colour[0] > 20  # black hair may shine so
    natural = np.hypot(*colour[1:]) <= _MOST and colour[0] <= _PALEST and not blue
    if even < _SHARE or not natural or _difference(colour, skin) < _CONTRAST:
        return None
    nearer = _difference(colours, colour) < _difference(colours, skin)
    depths = np.array([_run(nearer[i, : end - 1]) for i, end in enumerate(ends)]) / _PER_SIDE
    depth, middle = float(np.median(depths)), len(ends) // 2
    ahead = np.s_[middle - 5 : middle + 6]  # within 20 degrees
    low = np.median(ends[ahead] / _PER_SIDE - depths[ahead]) <= _LOW
    if np.percentile(depths, 20) < _DEPTH[0] or depth > _DEPTH[1] or (low and depth >= _THICK):
        return None
    return colour, float(np.median(off)), depth


def _all_around(mask: NDArray[np.bool_], face: Face) -> bool:
    """Whether there is hair in nearly all directions upwards."""
    return bool((_polar(mask.astype(np.uint8) * 255, face)[_UP].max(axis=1) > 127).mean() >= _SHARE)


def _patterned(light: NDArray[Any], mask: NDArray[np.bool_], face: Face) -> bool:
    """Whether the lightness goes up and down as it does on printed cloth."""
    inside = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    fine = np.abs(light - cv2.GaussianBlur(light, (0, 0), 0.04 * face.side))
    return bool(inside.any()) and float(fine[inside].mean()) > _PATTERN


def _polar(picture: NDArray[Any], face: Face) -> NDArray[Any]:
    """Rows are directions, clockwise from the right, columns distances from the middle of the face."""
    return cv2.warpPolar(picture, (_RADII, _ANGLES), face.middle, _FAR * face.side, _POLAR)


def _difference(lab: NDArray[Any], colour: NDArray[Any]) -> NDArray[Any]:
    return np.sqrt(((lab - colour) ** 2) @ np.array([_LIGHTNESS**2, 1, 1], np.float32))


def _run(row: NDArray[np.bool_]) -> int:
    """How many at the end of a row are True."""
    return len(row) if row.all() else int(row[::-1].argmin())


def _grown(
    lab: NDArray[Any], alpha: Alpha, face: Face, colours: tuple[NDArray[Any], NDArray[Any]], within: float
) -> NDArray[np.bool_]:
    """What has the hair's colour rather than the skin's, and hangs together from the top of the head.

    Not within the face, where beards are, and below the chin only what clothes are not like.
    """
    (x, y), side = face.middle, face.side
    rows, columns = np.ogrid[: alpha.shape[0], : alpha.shape[1]]
    across, down = (columns - x) / side, (rows - y) / side
    own = _difference(lab, colours[1])
    mask = (own < within) & (own < 0.8 * _difference(lab, colours[0])) & (alpha > 127)
    mask &= ((across / 0.6) ** 2 + ((down - 0.2) / 0.75) ** 2 > 1) & ~((down > 0.2) & (abs(across) < 0.6))
    shoulders = (down > 1.5) & (alpha > 127) & (abs(across) > 0.5)
    dressed = shoulders.any() and (own[shoulders] < 1.3 * within).mean() > 0.35
    mask &= (abs(across) < _REACH[0]) & (down > -_REACH[1]) & (down < (0.55 if dressed else _REACH[2]))
    width = 2 * max(1, int(0.03 * side)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    _, labels = cv2.connectedComponents(mask)
    crown = np.bincount(labels[np.broadcast_to(down < -0.3, labels.shape)], minlength=2)
    crown[0] = 0
    return (labels == crown.argmax()) & (mask > 0)
