"""A photograph of the empty scene brought into line with a frame of it: hands shake, tripods get pushed.

After Lin et al., "Real-Time High-Resolution Background Matting", CVPR 2021, whose inference code aligns so: ORB
features, the best matches, a homography by RANSAC, and the frame itself where the photograph does not reach.
"""

import cv2
import numpy as np

from koutu.types import Alpha, Rgb

KEPT = 0.15  # of the matches, best first
LEAST = 10  # matches of a homography worth trusting
_FEATURES = 2000


def align(plate: Rgb, rgb: Rgb) -> Rgb:
    """The plate as seen from where `rgb` was taken; both (H, W, 3) of one size.

    Where the plate does not reach, the frame's own pixels. A scene without features to match (a bare wall, a green
    screen), or a match no camera could have seen, leaves the plate as it is.
    """
    found = homography(plate, rgb)
    if found is None:
        return plate
    size = rgb.shape[1], rgb.shape[0]
    warped = cv2.warpPerspective(plate, found, size)
    reached = cv2.warpPerspective(np.full(plate.shape[:2], 255, np.uint8), found, size) == 255
    return np.where(reached[..., None], warped, rgb)


def homography(plate: Rgb, rgb: Rgb, where: Alpha | None = None) -> np.ndarray | None:
    """(3, 3) from places in the plate to those in a frame of its size; None without features, or if no camera moves so.

    where: (H, W), not 0 where the frame's features count.
    """
    orb = cv2.ORB.create(nfeatures=_FEATURES)
    points, marks = orb.detectAndCompute(cv2.cvtColor(plate, cv2.COLOR_RGB2GRAY), None)  # type: ignore[call-overload]
    targets, target_marks = orb.detectAndCompute(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), where)  # type: ignore[call-overload]
    if marks is None or target_marks is None:
        return None
    matches = sorted(cv2.BFMatcher(cv2.NORM_HAMMING).match(marks, target_marks), key=lambda match: match.distance)
    matches = matches[: max(LEAST, int(len(matches) * KEPT))]
    if len(matches) < LEAST:
        return None
    here = np.array([points[m.queryIdx].pt for m in matches], np.float32)
    there = np.array([targets[m.trainIdx].pt for m in matches], np.float32)
    found, inliers = cv2.findHomography(here, there, cv2.RANSAC, 3.0)
    if found is None or inliers.sum() < LEAST or not plausible(found, plate.shape[:2]):
        return None
    return np.asarray(found)


def plausible(found: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether the frame's corners move by less than a third of its longer side and keep their order."""
    height, width = size
    corners = np.array([[[0, 0]], [[width, 0]], [[width, height]], [[0, height]]], np.float32)
    moved = cv2.perspectiveTransform(corners, found)
    shift = np.abs(moved - corners).max()
    return bool(shift < max(size) / 3 and cv2.isContourConvex(moved.astype(np.float32)))
