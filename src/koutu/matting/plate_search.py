"""The plate of a clip found in the clip itself: what is seen where nobody stands, over time."""

from collections.abc import Iterable

import cv2
import numpy as np

from koutu.color import to_rgb
from koutu.engines.backend import Backend
from koutu.matting.known_plate import LOOKED, Plate, found_plate
from koutu.types import Frame, InputError, Rgb

LONGEST = 960  # side of the frames that are looked at


def sought_plate(frames: Iterable[Frame], backend: Backend, name: str) -> Plate:
    """The background behind the people of a clip, seen once from its first frame to its last.

    Frames are taken evenly, never more than twice LOOKED at once. Raises InputError where the camera moves on, or too
    little of the background is seen.
    """
    if backend.needs:
        raise InputError(
            f"expected a network that finds people by itself with a plate that is sought, got {backend.name}; give a "
            "photograph with --plate FILE"
        )
    held: list[Rgb] = []
    every = 1
    for number, frame in enumerate(frames):
        if number % every == 0:
            scale = min(1.0, LONGEST / max(frame.size))
            held.append(to_rgb(frame.picture, (round(frame.size[0] * scale), round(frame.size[1] * scale))))
        if len(held) == 2 * LOOKED:
            held, every = held[::2], 2 * every
    if not held:
        raise InputError(f"{name}: expected frames to find a plate in, got none; give a photograph with --plate FILE")
    chosen = [held[i] for i in np.unique(np.linspace(0, len(held) - 1, LOOKED).round().astype(int))]
    return found_plate(chosen, [_person(rgb, backend) for rgb in chosen], name)


def _person(rgb: Rgb, backend: Backend) -> np.ndarray:
    """The network's alpha (h, w) of a frame alone."""
    size = backend.network_size((rgb.shape[0], rgb.shape[1]))
    small = np.asarray(cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA))
    state = backend.initial_state(size)
    if state and backend.warms_up:
        _, _, state = backend(small, state)
    _, pha, _ = backend(small, state)
    return np.asarray(cv2.resize(pha, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR))
