"""A matte after a second opinion: what stands out of the picture counts as much as it does, where that is somebody.

One network of others knows things as a whole, one knows people, coarsely (`koutu.models.second_opinion`). The first may
say what it likes of alpha within what alpha or, some pixels around, the second allows. Where much of what it says is
not allowed, it speaks of something else than people, such as a bench or a dog, and is believed only where it agrees.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend
from koutu.engines.opinion import Opinion
from koutu.types import ModelError

Floats = NDArray[np.float32]

_SUREST = 6.0  # of anybody's logits
_SLOPE = 3.0  # of those of people, which are small
_AROUND = 1 / 50  # of the picture's side: so far beside its place may the outline of people be
_ELSEWHERE = 0.15  # of what is said that is not allowed, from which on nothing of it is believed
_AGREED = 2.0  # steepness of where both say the same


def opinion_of(opinion: Opinion | None, backend: Backend) -> Opinion | None:
    """The second opinion, if there is one, for a network whose only memory is alpha and that needs no hints."""
    return opinion if backend.can_recall and not backend.needs else None


def after_opinion(pha: Floats, things: Floats, people: Floats) -> Floats:
    """Alpha (h, w) in [0, 1] → alpha; things, people: logits of both networks (S, S) for the same picture as a square.

    Raises ModelError for planes of other shapes.
    """
    if things.shape != people.shape or things.ndim != 2 or things.shape[0] != things.shape[1]:
        raise ModelError(
            f"expected two squares of logits of one size, got {things.shape} and {people.shape}; "
            "give what both networks said"
        )
    own, said = _logits(pha), _at(np.clip(things, -_SUREST, _SUREST), pha)
    people = np.clip(_SLOPE * people, -_SUREST, _SUREST).astype(np.float32)
    reach = 2 * round(_AROUND * len(people)) + 1
    around = np.ones((reach, reach), np.uint8)
    most = np.maximum(own, _at(cv2.dilate(people, around), pha))
    least = np.minimum(own, _at(cv2.erode(people, around), pha))
    allowed = np.clip(said, least, most)
    more = _belief(said > 0, most < 0, said > 0)
    less = _belief(said < 0, least > 0, own > 0)
    trust = np.where(allowed > 0, more, less)
    agreed = _sigmoid(_AGREED * own * np.sign(allowed))
    return _sigmoid(own + (trust + (1 - trust) * agreed) * allowed)


def _belief(said: NDArray[np.bool_], forbidden: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    """From 0 to 1: the less of `whole` is said though forbidden, the more."""
    return 1 - min(np.count_nonzero(said & forbidden) / max(np.count_nonzero(whole), 1) / _ELSEWHERE, 1)


def _logits(pha: Floats) -> Floats:
    nearest = 1 / (1 + np.exp(np.float32(_SUREST)))
    sure = np.clip(pha, nearest, 1 - nearest)
    return np.log(sure / (1 - sure)).astype(np.float32)


def _at(plane: NDArray[Any], like: Floats) -> Floats:
    return np.asarray(cv2.resize(plane, like.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _sigmoid(x: NDArray[Any]) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)), np.float32)
