"""People built once, shown in view after view: pictures and clips with their alpha."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
from arrays import Floats
from body import Template
from camera import Head, View, aim, defocus
from finish import developed, exposure, rgba, straight
from light import light_scene
from motion import FPS, Motion, motion_of
from objects import Shape, remove
from person import Person, build_person
from pose import Pose, bones_of
from render import Renderer
from skeleton import place
from stances import pose_of
from things import chair, held_thing

_DELAYS = (0.0, 0.07, 0.14)  # seconds: where hair that trails is looked up between
_CARRIED = 0.85  # of the whole person's way that trailing hair goes along with at once
_BLURRED = 0.015  # defocus in heads from which alpha is soft
_SHAKE = 4.0  # degrees that limbs move within a blurred still

Matrices = Callable[[float], Floats]  # bones (all, 4, 4) at a second


class Cast:
    """The people of some samples, in a scene of their own."""

    def __init__(self, template: Template, renderer: Renderer, people: Sequence[dict]):
        self.renderer = renderer
        renderer.clear((64, 64))
        self.people = [build_person(template, traits) for traits in people]

    def still(self, view: dict, photograph: Path | None) -> Floats:
        """(H, W, 4) uint8."""
        poses = [pose_of(stance) for stance in view["people"]]
        moves = [self._shaken(pose, view, at) for at, pose in enumerate(poses)]
        with _Stage(self, view, poses, poses, photograph) as stage:
            stage.move(moves, 0.0, view["shutter"])
            return stage.picture(view["seed"])

    def clip(self, view: dict, photograph: Path | None, frames: int) -> Iterator[Floats]:
        """Frames (H, W, 4) uint8."""
        rng, seconds = np.random.default_rng(view["seed"]), frames / FPS
        poses = [pose_of(stance) for stance in view["people"]]
        motions = [motion_of(view["motion"], pose, seconds, rng) for pose in poses]
        moves = [self._bones(person, motion.pose) for person, motion in zip(self.people, motions, strict=True)]
        ends = [motion.pose(0.0 if view["motion"] == "sit" else seconds) for motion in motions]
        with _Stage(self, view, poses, ends if view["motion"] in ("rise", "sit") else poses, photograph) as stage:
            for number in range(frames):
                second = number / FPS
                for person, motion in zip(self.people, motions, strict=True):
                    _express(person, motion, second)
                stage.move(moves, second, view["shutter"])
                yield stage.picture(view["seed"] + number)
        for person in self.people:
            person.skin.offset = 0.0

    def _bones(self, person: Person, pose: Callable[[float], Pose]) -> Matrices:
        skeleton = person.skeleton
        return lambda second: skeleton.stacked(bones_of(skeleton, pose(second)))

    def _shaken(self, pose: Pose, view: dict, at: int) -> Matrices:
        """A still's motion: none, or the small one that its blur shows."""
        if not view["shutter"]:
            return self._bones(self.people[at], lambda second: pose)
        rng = np.random.default_rng([view["seed"], at])
        speed = {name: rng.normal(0, _SHAKE * FPS) for name in ("yaw", "pitch", "roll", "sway", "twist")}
        return self._bones(
            self.people[at],
            lambda second: replace(pose, **{name: getattr(pose, name) + v * second for name, v in speed.items()}),
        )


class _Stage:
    """One view: things, camera and light that are there for it alone."""

    def __init__(self, cast: Cast, view: dict, poses: Sequence[Pose], others: Sequence[Pose], photograph: Path | None):
        self.cast, self.view, self.gain = cast, view, 0.0
        self.rng = np.random.default_rng(view["seed"])
        each = list(zip(cast.people, view["people"], poses, strict=True))
        self.things = [_held(person, stance) for person, stance, _ in each]
        self.fixed = [shape for person, stance, pose in each for shape in _seats(person, stance, pose)]
        heads = [_head(person, pose) for person, pose in zip(cast.people, poses, strict=True)]
        scene = bpy.context.scene
        scene.render.resolution_x, scene.render.resolution_y = view["size"]
        later = [_head(person, pose) for person, pose in zip(cast.people, others, strict=True)]
        self.seen: View = aim([*heads, *later], view, tuple(view["size"]))
        if view["defocus"]:
            defocus(self.seen, heads, *view["defocus"])
        light_scene(self.rng, np.mean([head.centre for head in heads], 0), view["light"], photograph)

    def __enter__(self) -> "_Stage":
        return self

    def __exit__(self, *_: object) -> None:
        for things in (*self.things, self.fixed):
            remove(things)
        for item in [o for o in bpy.data.objects if o.type in ("LIGHT", "CAMERA")]:
            bpy.data.objects.remove(item)
        bpy.data.orphans_purge(do_recursive=True)

    def move(self, moves: Sequence[Matrices], second: float, shutter: float) -> None:
        """Everybody to where they are at a second, with how fast they are."""
        self.cast.renderer.blur(shutter)
        half = 0.5 / FPS
        for person, things, bones in zip(self.cast.people, self.things, moves, strict=True):
            known: dict[float, Floats] = {}

            def at(moment: float, bones: Matrices = bones, known: dict[float, Floats] = known) -> Floats:
                if moment not in known:
                    known[moment] = bones(moment)
                return known[moment]

            for shape in (*person.shapes, *things):
                speed = None
                if shutter:
                    ahead, behind = (_positions(person, shape, at, second + step) for step in (half, -half))
                    speed = (ahead - behind) * FPS
                shape.move(_positions(person, shape, at, second), speed)

    def picture(self, seed: int) -> Floats:
        """Render what is there; all frames of a clip are exposed as the first."""
        renderer = self.cast.renderer
        soft = bool(self.view["shutter"]) or bool(self.view["defocus"] and self.view["defocus"][0] > _BLURRED)
        colour, alpha = renderer.colour(seed % 2**31), renderer.alpha((seed + 7) % 2**31, soft=soft)
        if not self.gain:
            faces = [(*face, person.albedo) for face, person in zip(self.seen.heads, self.cast.people, strict=False)]
            self.gain = exposure(colour, self._turned_here(faces), self.rng)
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
    """A chair where they sit, if they do; it stays there."""
    if not stance["chair"]:
        return []
    skeleton, bones = person.skeleton, bones_of(person.skeleton, pose)
    sunk = skeleton.heads["pelvis"][2] - place(bones["pelvis"], skeleton.heads["pelvis"])[2]
    shapes = chair(skeleton, float(sunk), np.random.default_rng(stance["seed"]))
    for shape in shapes:
        shape.move(shape.at(skeleton.stacked(bones)))
    return shapes


def _positions(person: Person, shape: Shape, bones: Matrices, second: float) -> Floats:
    """Vertices at a second; those that trail are where the bones were, but go along as the whole person moves."""
    now = bones(second)
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
