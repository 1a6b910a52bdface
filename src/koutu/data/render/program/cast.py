"""People built once, shown in view after view: pictures and clips with their alpha."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from arrays import Floats
from body import Template
from motion import FPS, Motion, motion_of
from person import Person, build_person
from pose import Pose, bones_of
from render import Renderer
from stage import Matrices, Stage
from stances import pose_of

_SHAKE = 4.0  # degrees that limbs move within a blurred still


class Cast:
    """The people of some samples, in a scene of their own."""

    def __init__(self, template: Template, renderer: Renderer, people: Sequence[dict], rows: int):
        self.renderer = renderer
        renderer.clear((64, 64))
        self.people = [build_person(template, traits, rows) for traits in people]

    def still(self, view: dict, photograph: Path | None) -> Floats:
        """(H, W, 4) uint8."""
        poses = [pose_of(stance) for stance in view["people"]]
        moves = [self._shaken(pose, view, at) for at, pose in enumerate(poses)]
        with Stage(self.renderer, self.people, view, poses, [], photograph) as stage:
            stage.move(moves, 0.0, view["shutter"])
            return stage.picture(view["seed"])

    def clip(self, view: dict, photograph: Path | None, frames: int) -> Iterator[Floats]:
        """Frames (H, W, 4) uint8."""
        rng, seconds = np.random.default_rng(view["seed"]), frames / FPS
        poses = [pose_of(stance) for stance in view["people"]]
        motions = [motion_of(view["motion"], pose, seconds, rng) for pose in poses]
        moves = [self._bones(person, motion.pose) for person, motion in zip(self.people, motions, strict=True)]
        up = {"rise": seconds, "sit": 0.0}.get(view["motion"])  # when somebody stands who sits in `poses`
        standing = [] if up is None else [motion.pose(up) for motion in motions]
        with Stage(self.renderer, self.people, view, poses, standing, photograph) as stage:
            still = [self._bones(*each) for each in zip(self.people, map(_held_still, poses), strict=True)]
            stage.move(still, 0.0, shutter=0.0)
            stage.meter(view["seed"])
            for number in range(frames):
                second = number / FPS
                for person, motion in zip(self.people, motions, strict=True):
                    _express(person, motion, second)
                stage.move(moves, second, view["shutter"])
                yield stage.picture(view["seed"] + number)
        for person in self.people:
            person.skin.offset = 0.0

    def _bones(self, person: Person, pose: Callable[[float], Pose]) -> Matrices:
        """Remembered: what hangs and trails looks back at the same moments from frame to frame."""
        skeleton = person.skeleton
        known = cache(lambda moment: skeleton.stacked(bones_of(skeleton, pose(moment))))
        return lambda second: known(round(second, 6))

    def _shaken(self, pose: Pose, view: dict, at: int) -> Matrices:
        """A still's motion: none, or the small one that its blur shows."""
        if not view["shutter"]:
            return self._bones(self.people[at], _held_still(pose))
        rng = np.random.default_rng([view["seed"], at])
        speed = {name: rng.normal(0, _SHAKE * FPS) for name in ("yaw", "pitch", "roll", "sway", "twist")}
        return self._bones(
            self.people[at],
            lambda second: replace(pose, **{name: getattr(pose, name) + v * second for name, v in speed.items()}),
        )


def _held_still(pose: Pose) -> Callable[[float], Pose]:
    return lambda second: pose


def _express(person: Person, motion: Motion, second: float) -> None:
    """Mouth and lids of a moment."""
    offset = np.zeros_like(person.skin.rest)
    amounts = {"mouth-open": motion.mouth(second)}
    amounts |= {f"eye-{side}-closure": motion.lids(second) for side in ("left", "right")}
    for name, amount in amounts.items():
        if name in person.body.units:
            vertices, moved = person.body.units[name]
            held = vertices < len(offset)
            offset[vertices[held]] += moved[held] * amount
    person.skin.offset = offset
