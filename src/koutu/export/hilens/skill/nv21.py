"""NV21 pictures: H rows of luma, then H/2 rows of V and U in turns, one array (H*3//2, W) of uint8.

All work stays in NV21: camera and display speak it, and half as many bytes pass through the small CPU as in RGB.
Python 3.7, numpy 1.16, OpenCV 3.4 or later. Targets are given, so that no memory is asked for while frames run.
"""

import cv2
import numpy as np


class BadFrame(Exception):
    """What came is no picture that can be worked on."""


def empty(width, height):
    """A new picture; both sides even."""
    return np.empty((height * 3 // 2, width), np.uint8)


def size(picture):
    """(width, height)."""
    return picture.shape[1], picture.shape[0] * 2 // 3


def planes(picture):
    """Luma (H, W) and chroma (H/2, W/2, 2), V first: views of the picture, also of a part of a wider one."""
    height = picture.shape[0] * 2 // 3
    return picture[:height], picture[height:].reshape(height // 2, picture.shape[1] // 2, 2)


def checked(frame):
    """The frame of a camera as NV21: NV21 itself, or BGR (H, W, 3) of a USB camera. Raises BadFrame."""
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.size == 0:
        raise BadFrame(f"expected a picture of uint8, got {_told(frame)}")
    if frame.ndim == 3 and frame.shape[2] == 3 and min(frame.shape[:2]) > 1:
        return from_bgr(frame)
    if frame.ndim != 2 or frame.shape[0] % 3 or frame.shape[1] % 2:
        raise BadFrame(f"expected NV21 (H*3//2, W) with even sides, or BGR (H, W, 3), got {_told(frame)}")
    return frame


def from_bgr(bgr):
    """BT.601, limited range, as the camera's own; an odd last row or column is left out."""
    height, width = bgr.shape[0] & -2, bgr.shape[1] & -2
    i420 = cv2.cvtColor(np.ascontiguousarray(bgr[:height, :width]), cv2.COLOR_BGR2YUV_I420)
    picture = empty(width, height)
    luma, chroma = planes(picture)
    luma[:] = i420[:height]
    quarter = height * width // 4
    flat = i420[height:].reshape(-1)
    chroma[..., 0] = flat[quarter:].reshape(height // 2, width // 2)
    chroma[..., 1] = flat[:quarter].reshape(height // 2, width // 2)
    return picture


def colour(rgb, width, height):
    """A picture of one colour (R, G, B)."""
    return from_bgr(np.full((height, width, 3), rgb[::-1], np.uint8))


def window(width, height, aspect):
    """x, y, w, h: the largest centred part of that aspect (w / h), on even pixels."""
    w = min(width, round(height * aspect))
    h = min(height, round(width / aspect))
    w, h = max(2, w & -2), max(2, h & -2)
    return (width - w) // 2 & -2, (height - h) // 2 & -2, w, h


def cut(picture, box):
    """Luma and chroma of the part x, y, w, h, all even; views."""
    x, y, w, h = box
    luma, chroma = planes(picture)
    return luma[y : y + h, x : x + w], chroma[y // 2 : (y + h) // 2, x // 2 : (x + w) // 2]


def scale(parts, target):
    """Luma and chroma, of any size, into the picture `target`."""
    luma, chroma = planes(target)
    shrink(parts[0], luma)
    shrink(parts[1], chroma)


def shrink(plane, target):
    """Halved while at least twice as large, then bilinear: near to an area mean, and OpenCV does both quickly."""
    height, width = target.shape[:2]
    while plane.shape[0] >= 2 * height and plane.shape[1] >= 2 * width:
        half = plane.shape[1] // 2, plane.shape[0] // 2
        if half == (width, height):
            break
        plane = cv2.resize(plane, half, interpolation=cv2.INTER_AREA)
    exact = plane.shape[0] == 2 * height and plane.shape[1] == 2 * width
    way = cv2.INTER_AREA if exact else cv2.INTER_LINEAR
    cv2.resize(plane, (width, height), dst=target, interpolation=way)


def mirror(source, target):
    """Left and right changed over, into `target`, which is another picture."""
    front, back = planes(source), planes(target)
    cv2.flip(front[0], 1, dst=back[0])
    cv2.flip(front[1], 1, dst=back[1])


def _told(frame):
    if isinstance(frame, np.ndarray):
        return f"{frame.shape} of {frame.dtype}"
    return type(frame).__name__
