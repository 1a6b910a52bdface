"""The part of a frame that the network is shown: where somebody is, so that nobody is seen smaller than need be.

A network sees every picture at one small size; a person who fills a third of it is seen with a third of its pixels.
So the frame is looked at whole first, and then only the part where the network found somebody, with room around. The
part stays where it is for as long as it holds everybody; now and then, and when something moves outside of it, the
whole frame is looked at again for those who come in.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import to_rgb
from koutu.types import Alpha, Frame, Picture, Rgb, Yuv, Yuv420

Box = tuple[slice, slice]  # rows and columns of a frame
Bounds = tuple[float, float, float, float]  # top, bottom, left, right in a frame's pixels
SOMEBODY = 0.3  # alpha above which a cell is somebody's
CELLS = 64  # that the longer side of alpha is looked at in
SPECK = 3  # cells: what is smaller is nobody
ROOM = 0.12  # of the people's height and width, left around them on every side
CLOSE = 0.03  # likewise: people nearer than this to a side of the part are about to leave it
ASPECTS = (2 / 3, 1.0, 3 / 2, 16 / 9)  # width : height of a part: few, since engines prepare for every size anew
WORTH = 0.7  # of the frame: a part must be smaller than this
LEAST = 192  # pixels: its shorter side is no shorter
SHRINK = 0.6  # of the part: people who need less than this for PATIENCE frames get a smaller one
PATIENCE = 15  # frames
AGAIN = 15  # frames after which the whole frame is looked at again
STIRRED = 16.0  # of 255: change of a thumbnail's cell outside the part that makes it be looked at sooner,
SOONEST = 6  # but not within so many frames
NEWCOMER = 2e-3  # of the frame: alpha found outside the part that makes it larger


@dataclass
class Zoom:
    """The part of a stream's frames that is looked at; `box` None: all of it. Forgotten with the stream's memory."""

    box: Box | None = None
    roomy: int = 0  # frames since people last needed all of the part
    since: int = 0  # frames since the whole frame was seen
    outside: NDArray[np.float32] | None = None  # a thumbnail of the frame that was last seen whole

    def look(self, found: NDArray[np.float32], size: tuple[int, int]) -> bool:
        """Choose by the alpha (h, w) of the whole frame (H, W); whether the part is another one now."""
        before, self.box = self.box, part_of(bounds(found, whole(size)), size)
        self.roomy = self.since = 0
        self.outside = None
        return self.box != before

    def follow(self, found: NDArray[np.float32], size: tuple[int, int]) -> bool:
        """Likewise by the alpha of the part that was seen, so that it holds everybody in the next frame as well."""
        self.since += 1
        box = self.box or whole(size)
        people = bounds(found, box)
        wanted = part_of(people, size)
        if people is not None and not _leaves(people, box, size):
            smaller = _area(wanted or whole(size)) < (SHRINK if self.box else WORTH) * _area(box)
            self.roomy = self.roomy + 1 if smaller else 0
            if self.roomy < PATIENCE:
                return False
        self.roomy = 0
        before, self.box = self.box, wanted
        return self.box != before

    def is_due(self, thumbnail: NDArray[np.float32], size: tuple[int, int]) -> bool:
        """Whether the whole frame, whose thumbnail (h, w, 3) this is, should be looked at beside the part."""
        if self.box is None:
            return False
        if self.outside is None:
            self.outside = thumbnail
        if self.since < SOONEST:
            return False
        change = np.abs(thumbnail - self.outside).mean(axis=2)
        change[_scaled(self.box, size, (change.shape[0], change.shape[1]))] = 0
        return self.since >= AGAIN or float(change.max()) > STIRRED

    def widen(self, found: NDArray[np.float32], size: tuple[int, int], thumbnail: NDArray[np.float32]) -> bool:
        """After such a look, whose alpha (h, w) was `found`: is somebody outside? Then the part is larger now."""
        self.since, self.outside = 0, thumbnail
        if self.box is None:
            return False
        outside = found.copy()
        inside = _scaled(self.box, size, (found.shape[0], found.shape[1]))
        outside[inside] = 0
        if float(np.count_nonzero(outside > SOMEBODY)) < NEWCOMER * found.size:
            return False
        outside[inside] = found[inside]
        return self.look(outside, size)


def whole(size: tuple[int, int]) -> Box:
    """All of a frame (H, W)."""
    return slice(0, size[0]), slice(0, size[1])


def cropped(frame: Frame, box: Box | None) -> Frame:
    """That part of a frame, without alpha; the frame itself where the part is all of it."""
    return frame if box is None else Frame(_cut(frame.picture, box), frame.pts, frame.time_base)


def pasted(alpha: Alpha, box: Box | None, size: tuple[int, int]) -> Alpha:
    """Alpha of a part on a frame (H, W) where nobody else is."""
    if box is None:
        return alpha
    all_of_it = np.zeros(size, alpha.dtype)
    all_of_it[box] = alpha
    return all_of_it


def seen_from(
    pha: NDArray[np.float32], frame: Frame, was: Box | None, box: Box | None, size: tuple[int, int]
) -> tuple[NDArray[np.float32], Rgb]:
    """Alpha (h, w) of the part `was`, as it lies in the part `box`, and the frame's colours there, both of `size`."""
    rows, columns = was or whole(frame.size)
    top, left = (box or whole(frame.size))[0].start, (box or whole(frame.size))[1].start
    part = cropped(frame, box)
    fy, fx = (rows.stop - rows.start) / pha.shape[0], (columns.stop - columns.start) / pha.shape[1]
    sy, sx = part.size[0] / size[0], part.size[1] / size[1]
    back = np.array(
        [
            [sx / fx, 0, ((0.5 * sx + left - columns.start) / fx) - 0.5],
            [0, sy / fy, ((0.5 * sy + top - rows.start) / fy) - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(pha, back, size[::-1], flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(moved, np.float32), to_rgb(part.picture, size)


def bounds(found: NDArray[np.float32], box: Box) -> Bounds | None:
    """Where people are, by alpha (h, w) of the part `box`; None: nowhere."""
    share = min(1.0, CELLS / max(found.shape))
    cells = (max(1, round(found.shape[1] * share)), max(1, round(found.shape[0] * share)))
    small = np.asarray(cv2.resize(found, cells, interpolation=cv2.INTER_AREA)) > SOMEBODY
    _, _, stats, _ = cv2.connectedComponentsWithStats(small.astype(np.uint8))
    people = stats[1:][stats[1:, cv2.CC_STAT_AREA] >= SPECK]
    if not len(people):
        return None
    x, y, width, height = people[:, 0], people[:, 1], people[:, 2], people[:, 3]
    rows, columns = box
    fy, fx = (rows.stop - rows.start) / cells[1], (columns.stop - columns.start) / cells[0]
    return (
        rows.start + fy * float(y.min()),
        rows.start + fy * float((y + height).max()),
        columns.start + fx * float(x.min()),
        columns.start + fx * float((x + width).max()),
    )


def spanned(each: Iterable[Bounds | None]) -> Bounds | None:
    """Where people are in any of several frames, by where they are in each."""
    people = [one for one in each if one is not None]
    if not people:
        return None
    tops, bottoms, lefts, rights = zip(*people, strict=True)
    return min(tops), max(bottoms), min(lefts), max(rights)


def part_of(people: Bounds | None, size: tuple[int, int]) -> Box | None:
    """The part of a frame (H, W) with room around the people; None: all of it, which is hardly more, or for nobody."""
    if people is None:
        return None
    top, bottom, left, right = people
    height, width = (1 + 2 * ROOM) * (bottom - top), (1 + 2 * ROOM) * (right - left)
    height, width = max(height, LEAST), max(width, LEAST)
    aspect = min((a for a in ASPECTS if a >= width / height), default=ASPECTS[-1])
    height, width = max(height, width / aspect), max(width, height * aspect)
    rows, columns = _span((top + bottom) / 2, height, size[0]), _span((left + right) / 2, width, size[1])
    box = rows, columns
    return box if _area(box) < WORTH * size[0] * size[1] else None


def _span(middle: float, length: float, limit: int) -> slice:
    """That length around the middle, moved and shortened into 0 … limit; begins and ends between chroma's samples."""
    length = min(float(limit), length)
    first = min(max(0.0, middle - length / 2), limit - length)
    start = int(first) // 2 * 2
    return slice(start, min(limit, start + (int(np.ceil(length)) + 3) // 2 * 2))


def _leaves(people: Bounds, box: Box, size: tuple[int, int]) -> bool:
    """Whether people are nearly out of the part at a side that is not the frame's."""
    top, bottom, left, right = people
    rows, columns = box
    dy, dx = CLOSE * (bottom - top), CLOSE * (right - left)
    return (
        (rows.start > 0 and top < rows.start + dy)
        or (rows.stop < size[0] and bottom > rows.stop - dy)
        or (columns.start > 0 and left < columns.start + dx)
        or (columns.stop < size[1] and right > columns.stop - dx)
    )


def _area(box: Box) -> int:
    rows, columns = box
    return (rows.stop - rows.start) * (columns.stop - columns.start)


def _scaled(box: Box, size: tuple[int, int], to: tuple[int, int]) -> Box:
    """The part on a picture (h, w) of the whole frame; cells that it holds a part of are its."""
    (rows, columns), fy, fx = box, to[0] / size[0], to[1] / size[1]
    return (
        slice(int(rows.start * fy), int(np.ceil(rows.stop * fy))),
        slice(int(columns.start * fx), int(np.ceil(columns.stop * fx))),
    )


def _cut(picture: Picture, box: Box) -> Picture:
    if not isinstance(picture, Yuv):
        return np.ascontiguousarray(picture[box])
    chroma = box
    if isinstance(picture, Yuv420):
        rows, columns = box
        chroma = slice(rows.start // 2, (rows.stop + 1) // 2), slice(columns.start // 2, (columns.stop + 1) // 2)
    planes = (picture.y[box], picture.u[chroma], picture.v[chroma])
    return picture.with_planes(*(np.ascontiguousarray(plane) for plane in planes))
