"""One-frame-delay smoothing: a pixel that jumps for one frame and comes back is a flicker, not motion.

After Ke et al., "MODNet", AAAI 2022, section 4 ("OFD").
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from koutu.composite import with_alpha_of
from koutu.matting.matte import Matte
from koutu.types import Alpha

THRESHOLD = 26  # 0.1 of 255


def smooth_middle(before: Alpha, middle: Alpha, after: Alpha, threshold: int = THRESHOLD) -> Alpha:
    """`middle` (H, W) with the mean of its neighbours where they agree with each other and both disagree with it."""
    agree = cv2.absdiff(before, after) <= threshold
    jumps = cv2.min(cv2.absdiff(before, middle), cv2.absdiff(after, middle)) > threshold
    flicker = agree & jumps
    if not flicker.any():
        return middle
    mean = cv2.addWeighted(before, 0.5, after, 0.5, 0)
    return np.where(flicker, mean, middle)


def one_frame_delay(mattes: Iterable[Matte]) -> Iterator[Matte]:
    """The same mattes, each given out when the next one is known; never smoothed across a reset of the memory.

    Neighbours are the mattes as they came, so that smoothing does not feed on itself.
    """
    before: Matte | None = None
    middle: Matte | None = None
    for after in mattes:
        if middle is not None:
            yield _smoothed(before, middle, after)
        before, middle = middle, after
    if middle is not None:
        yield middle


def _smoothed(before: Matte | None, middle: Matte, after: Matte) -> Matte:
    same_shot = before is not None and not middle.fresh and not after.fresh
    if before is None or not same_shot or before.alpha.shape != after.alpha.shape:
        return middle
    found = smooth_middle(before.mixed, middle.mixed, after.mixed)
    if middle.found is None:
        return replace(middle, alpha=found)
    return replace(middle, alpha=with_alpha_of(middle.frame, found), found=found)
