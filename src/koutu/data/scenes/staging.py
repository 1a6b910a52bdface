"""What is before the camera at any time: people on a place, or an image as it is, each as layers that compose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.scenes.actors import Actor
from koutu.data.scenes.backgrounds import SceneBackground
from koutu.data.scenes.layers import Layers, occluded, over, shadowed, smeared
from koutu.data.scenes.motion import Track, at_time, moved, travel

_MOST = 12  # instants that an open shutter is made of


class Staging(Protocol):
    """What is before the camera, at any time in frames."""

    def at(self, time: float, size: tuple[int, int]) -> Layers: ...
    def travel(self, frame: int) -> float: ...


@dataclass(frozen=True)
class Staged:
    """People, the first in front, on a place; shadow: where it falls, how dark and how soft; thing: before them all."""

    place: SceneBackground
    actors: Sequence[Actor]
    shadow: tuple[NDArray[np.float64], float, float] | None = None
    thing: Actor | None = None

    def at(self, time: float, size: tuple[int, int]) -> Layers:
        back = self.place.at(time, size)
        front = None
        for actor in self.actors:
            seen = actor.at(time, size)
            front = seen if front is None else over(front, seen)
        if front is None:
            layers = Layers(back, np.zeros(size, np.uint8), back)
        else:
            layers = Layers(np.ascontiguousarray(front[..., :3]), np.ascontiguousarray(front[..., 3]), back)
        if self.shadow is not None and front is not None:
            layers = shadowed(layers, self.shadow[0], strength=self.shadow[1], blur=self.shadow[2])
        return layers if self.thing is None else occluded(layers, self.thing.at(time, size))

    def travel(self, frame: int) -> float:
        moving = [travel(a.track, frame, a.corners()) for a in self.actors]
        h, w = self.place.picture.shape[:2]
        return max([travel(self.place.track, frame, np.array([[0.0, 0], [w, h]])), *moving])


@dataclass(frozen=True)
class AsIs:
    """An image with its own background; fgr and bgr are guessed."""

    rgba: NDArray[Any]
    fgr: NDArray[Any]
    bgr: NDArray[Any]
    track: Track

    def at(self, time: float, size: tuple[int, int]) -> Layers:
        matrix = at_time(self.track, time)
        rgba, fgr, bgr = (
            moved(x, matrix, size, border=cv2.BORDER_REFLECT_101) for x in (self.rgba, self.fgr, self.bgr)
        )
        pha, src = np.ascontiguousarray(rgba[..., 3]), np.ascontiguousarray(rgba[..., :3])
        return Layers(fgr, pha, bgr, src=src)

    def travel(self, frame: int) -> float:
        h, w = self.rgba.shape[:2]
        return travel(self.track, frame, np.array([[0.0, 0], [w, 0], [0, h], [w, h]]))


def exposed(shot: Staging, frame: int, size: tuple[int, int], shutter: float) -> Layers:
    """A frame, smeared by what moved while the shutter was open, which is a share of the frame's time."""
    count = int(np.clip(np.ceil(shot.travel(frame) * shutter), 1, _MOST)) if shutter > 0 else 1
    return smeared([shot.at(frame + shutter * i / count, size) for i in range(count)])
