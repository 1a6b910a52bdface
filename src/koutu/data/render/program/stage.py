"""One view of people: their things, chairs, camera and light, and where everybody is at a moment."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import bpy
import numpy as np
from arrays import Floats
from camera import Head, View, aim, defocus
from finish import developed, exposure, rgba, straight
from light import light_scene
from motion import FPS
from objects import Shape, remove
from person import Person
from pose import Pose, bones_of
from render import Renderer
from skeleton import place
from swing import swung
from things import chair, held_thing

_DELAYS = (0.0, 0.07, 0.14)  # seconds: where hair that trails is looked up between
_CARRIED = 0.85  # of the whole person's way that trailing hair goes along with at once
_BLURRED = 0.015  # defocus in heads from which alpha is soft

Matrices = Callable[[float], Floats]  # bones (all, 4, 4) at a second


class Stage:
    """One view: things, camera and light that are there for it alone; the camera also holds them in `others`."""

    def __init__(
        self, renderer: Renderer, people: Sequence[Person], view: dict, poses: Sequence[Pose],
        others: Sequence[Pose], photograph: Path | None,
    ):  # fmt: skip
        self.renderer, self.people, self.view, self.gain = renderer, people, view, 0.0
        self.rng = np.random.default_rng(view["seed"])
        each = list(zip(people, view["people"], poses, strict=True))
        self.things = [_held(person, stance) for person, stance, _ in each]
        self.fixed = [shape for person, stance, pose in each for shape in _seats(person, stance, pose)]
        heads = [_head(person, pose) for person, pose in zip(people, poses, strict=True)]
        scene = bpy.context.scene
        scene.render.resolution_x, scene.render.resolution_y = view["size"]
        more = [_head(person, pose) for person, pose in zip(people, others, strict=False)]
        self.seen: View = aim([*heads, *more], view, tuple(view["size"]))
        if view["defocus"]:
            defocus(self.seen, heads, *view["defocus"])
        light_scene(self.rng, np.mean([head.centre for head in heads], 0), view["light"], photograph)

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        for things in (*self.things, self.fixed):
            remove(things)
        for item in [o for o in bpy.data.objects if o.type in ("LIGHT", "CAMERA")]:
            bpy.data.objects.remove(item)
        bpy.data.orphans_purge(do_recursive=True)

    def move(self, moves: Sequence[Matrices], second: float, shutter: float) -> None:
        """Everybody to where they are at a second, with how fast they are."""
        self.renderer.blur(shutter)
        half = 0.5 / FPS
        for person, things, bones in zip(self.people, self.things, moves, strict=True):
            for shape in (*person.shapes, *things):
                where = partial(_positions, person, shape, bones, swings=self.view["kind"] == "clip")
                speed = (where(second + half) - where(second - half)) * FPS if shutter else None
                shape.move(where(second), speed)

    def meter(self, seed: int) -> None:
        """Expose all frames of a clip as people are now."""
        self._expose(self.renderer.colour(seed % 2**31))

    def _expose(self, colour: Floats) -> None:
        faces = [(*face, person.albedo) for face, person in zip(self.seen.heads, self.people, strict=False)]
        self.gain = exposure(colour, self._turned_here(faces), self.rng)

    def picture(self, seed: int) -> Floats:
        """Render what is there."""
        soft = bool(self.view["defocus"]) and self.view["defocus"][0] > _BLURRED
        colour = self.renderer.colour(seed % 2**31)
        alpha = self.renderer.alpha((seed + 7) % 2**31, soft=soft)
        if not self.gain:
            self._expose(colour)
        return rgba(developed(straight(colour, alpha), self.gain, self.view["balance"]), alpha)

    def _turned_here(self, faces: list[tuple[float, float, float, float]]) -> list[tuple[float, float, float, float]]:
        """Those of heads whose face is seen."""
        shown = []
        for face, stance in zip(faces, self.view["people"], strict=True):
            if np.cos(np.deg2rad(stance["turn"] + stance["yaw"])) > 0.3:
                shown.append(face)
        return shown


def _held(person: Person, stance: dict) -> list[Shape]:
    """What a view's person has in their hands."""
    rng = np.random.default_rng(stance["seed"])
    held = [held_thing(kind, person.skeleton, side, rng) for side, kind in stance["held"].items()]
    return [shape for shapes in held for shape in shapes]


def _seats(person: Person, stance: dict, pose: Pose) -> list[Shape]:
    """A chair where they sit, if they do; it stays there, and shows only in what it hides of them: it is nobody."""
    if not stance["chair"]:
        return []
    skeleton, bones = person.skeleton, bones_of(person.skeleton, pose)
    sunk = skeleton.heads["pelvis"][2] - place(bones["pelvis"], skeleton.heads["pelvis"])[2]
    shapes = chair(skeleton, float(sunk), np.random.default_rng(stance["seed"]))
    for shape in shapes:
        shape.move(shape.at(skeleton.stacked(bones)))
        shape.object.is_holdout = True
    return shapes


def _positions(person: Person, shape: Shape, bones: Matrices, second: float, *, swings: bool) -> Floats:
    """Vertices at a second; those that trail are where the bones were, but go along as the whole person moves."""
    now = bones(second)
    if shape.swings is not None and swings:
        bone, joint = person.skeleton.bones.index(shape.hung), person.skeleton.heads[shape.hung]
        return swung(shape.at(now), shape.swings, bones, bone, joint, second)
    if shape.late is None:
        return shape.at(now)
    pelvis, joint = person.skeleton.bones.index("pelvis"), person.skeleton.heads["pelvis"]
    places = []
    for delay in _DELAYS:
        before = bones(second - delay)
        places.append(shape.at(before) + _CARRIED * (place(now[pelvis], joint) - place(before[pelvis], joint)))
    share = np.clip(shape.late / _DELAYS[1], 0, 2)[:, None]
    first = places[0] + (places[1] - places[0]) * np.minimum(share, 1)
    return first + (places[2] - places[1]) * np.maximum(share - 1, 0)


def _head(person: Person, pose: Pose) -> Head:
    bones = bones_of(person.skeleton, pose)
    return Head(place(bones["head"], person.skeleton.centre), person.skeleton.size)
