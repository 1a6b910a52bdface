"""MakeHuman's base mesh, made any person by its morph targets."""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from arrays import Floats, Ints, Rng
from meshes import Faces, load_obj

SKIN_VERTICES = 13380  # of the base mesh; the rest are helpers
_DECIMETRES = 0.1
_ANCESTRIES = ("african", "asian", "caucasian")
_AGES = ((0.0, "baby"), (0.1875, "child"), (0.5, "young"), (1.0, "old"))
_MIDDLE = {"muscle": "averagemuscle", "weight": "averageweight", "height": ""}
_YEARS = (1.0, 10.0, 25.0, 90.0)  # at the knots of _AGES
_DETAILS = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "ears", "chin", "cheek", "neck")
_IDEAL = 0.4  # how far proportions are drawn towards those targets
_UNITS = (
    "mouth-open", "mouth-corner-puller", "mouth-pursing", "eye-left-closure", "eye-right-closure", "eyebrows-left-up",
    "eyebrows-right-up",
)  # fmt: skip


class Template:
    """The base mesh with its rig; axes and lengths are MakeHuman's: y up, decimetres."""

    def __init__(self, assets: Path):
        self.assets = assets
        data = assets / "mpfb2/src/mpfb/data"
        self.targets = data / "targets"
        self.mesh = load_obj(data / "3dobjs/base.obj")
        self.rig = json.loads((data / "rigs/standard/rig.game_engine.json").read_text())
        self.bones = list(self.rig)
        spans = json.loads((data / "mesh_metadata/basemesh_vertex_groups.json").read_text())
        self.groups = {name: np.concatenate([np.arange(a, b + 1) for a, b in held]) for name, held in spans.items()}
        self.weights = self._weights(data / "rigs/standard/weights.game_engine.json")
        self.skin = [i for i, group in enumerate(self.mesh.groups) if group == "body"]

    def _weights(self, path: Path) -> Floats:
        """(V, bones), each row's sum 1."""
        weights = np.zeros((len(self.mesh.vertices), len(self.bones)))
        held = json.loads(path.read_text())["weights"]
        for at, bone in enumerate(self.bones):
            if held.get(bone):
                rows = np.array(held[bone])
                weights[rows[:, 0].astype(int), at] = rows[:, 1]
        return weights / np.maximum(weights.sum(1, keepdims=True), 1e-6)

    @cached_property
    def details(self) -> list[str]:
        """Names of the targets of the face."""
        return sorted(
            f"{folder}/{path.name.removesuffix('.target.gz')}"
            for folder in _DETAILS for path in (self.targets / folder).glob("*.target.gz")
        )  # fmt: skip

    @cache  # noqa: B019  # one template lives as long as the program
    def target(self, name: str) -> tuple[Ints, Floats] | None:
        """Vertices and their displacements (N, 3); None if there is no such target."""
        path = self.targets / f"{name}.target.gz"
        if not path.is_file():
            return None
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
        table = np.array([[float(word) for word in row[:4]] for row in rows]).reshape(-1, 4)
        return table[:, 0].astype(int), table[:, 1:]


@dataclass
class Body:
    """A person at rest: vertices (V, 3) of the whole base mesh, metres, z up, facing -y, feet on z = 0.

    units: expressions, as vertices and displacements at full strength.
    """

    template: Template
    vertices: Floats
    units: dict[str, tuple[Ints, Floats]]
    traits: dict

    @property
    def skin(self) -> Floats:
        """(SKIN_VERTICES, 3)"""
        return self.vertices[:SKIN_VERTICES]

    @cached_property
    def head_vertices(self) -> Ints:
        """Those of the skin that move with the head."""
        return np.flatnonzero(self.template.weights[:SKIN_VERTICES, self.template.bones.index("head")] > 0.5)

    def joint(self, name: str) -> Floats:
        """Centre of a group of vertices such as "joint-l-eye"."""
        return self.vertices[self.template.groups[name]].mean(0)


def build_body(template: Template, traits: dict, rng: Rng) -> Body:
    """A person of these traits: gender 0…1 male, years, ancestry (3), weight, muscle, height, smile … 0…1."""
    vertices = template.mesh.vertices.copy()

    def add(name: str, weight: float) -> None:
        target = template.target(name)
        if target is not None and abs(weight) > 1e-4:
            vertices[target[0]] += target[1] * weight

    for name, weight in _macro_targets(traits):
        add(name, weight)
    for name, weight in _face_targets(template.details, rng):
        add(name, weight)
    ancestry = _ANCESTRIES[int(np.argmax(traits["ancestry"]))]
    for name, weight in _expression(traits):
        add(f"expression/units/{ancestry}/{name}", weight)
    vertices[:, 1] -= vertices[template.groups["joint-ground"]].mean(0)[1]
    found = {name: template.target(f"expression/units/{ancestry}/{name}") for name in _UNITS}
    units = {name: (target[0], metres(target[1])) for name, target in found.items() if target}
    return Body(template, metres(vertices), units, traits)


def metres(vertices: Floats) -> Floats:
    """MakeHuman's axes and decimetres to z up and metres."""
    return np.stack([vertices[:, 0], -vertices[:, 2], vertices[:, 1]], 1) * _DECIMETRES


def decimetres(vertices: Floats) -> Floats:
    """The way back."""
    return np.stack([vertices[:, 0], vertices[:, 2], -vertices[:, 1]], 1) / _DECIMETRES


def skin_faces(template: Template, hidden: set[int]) -> tuple[Faces, Faces]:
    """Faces of the skin and their uvs, without those whose vertices all are hidden."""
    mesh = template.mesh
    kept = [i for i in template.skin if not all(vertex in hidden for vertex in mesh.faces[i])]
    return [mesh.faces[i] for i in kept], [mesh.face_uvs[i] for i in kept]


def _macro_targets(traits: dict) -> Iterator[tuple[str, float]]:
    """What age, gender, ancestry and build are made of, with their weights."""
    age = float(np.interp(traits["years"], _YEARS, [knot for knot, _ in _AGES]))
    genders = (("female", 1 - traits["gender"]), ("male", traits["gender"]))
    muscles, weights, heights = (_between(traits[name], _three(name)) for name in ("muscle", "weight", "height"))
    for gender, a in genders:
        for stage, b in _between(age, _AGES):
            for ancestry, c in zip(_ANCESTRIES, traits["ancestry"], strict=True):
                yield f"macrodetails/{ancestry}-{gender}-{stage}", a * b * c
            for muscle, d in muscles:
                for weight, e in weights:
                    build, share = f"{gender}-{stage}-{muscle}-{weight}", a * b * d * e
                    yield f"macrodetails/universal-{build}", share
                    yield f"macrodetails/proportions/{build}-idealproportions", share * _IDEAL
                    yield from ((f"macrodetails/height/{build}-{h}", share * f) for h, f in heights if h)


def _expression(traits: dict) -> Iterator[tuple[str, float]]:
    yield "mouth-corner-puller", traits["smile"]
    yield "mouth-open", traits["open_mouth"]
    for side in ("left", "right"):
        yield f"eyebrows-{side}-inner-up", traits["brows_up"]
        yield f"eyebrows-{side}-up", 0.5 * traits["brows_up"]


def _three(name: str) -> tuple[tuple[float, str], ...]:
    return (0.0, f"min{name}"), (0.5, _MIDDLE[name]), (1.0, f"max{name}")


def _between(value: float, knots: Sequence[tuple[float, str]]) -> list[tuple[str, float]]:
    """The two neighbours of a value with their shares."""
    value = min(max(value, knots[0][0]), knots[-1][0])
    for (low, first), (high, second) in pairwise(knots):
        if value <= high:
            share = (value - low) / (high - low)
            return [(first, 1 - share), (second, share)]
    raise AssertionError("a value between knots")


def _face_targets(names: Sequence[str], rng: Rng) -> Iterator[tuple[str, float]]:
    """One direction of each pair of details (wider or narrower), left and right nearly alike."""
    drawn: dict[str, tuple[str, float]] = {}
    for name in names:
        key = name.split("/")[-1]
        key = key[2:] if key[:2] in ("l-", "r-") else key
        detail = key.rpartition("-")[0]
        if detail not in drawn:
            drawn[detail] = key if rng.random() < 0.5 else "", abs(rng.normal(0, 0.18))
        chosen, amount = drawn[detail]
        mild = 0.4 if any(word in key for word in ("shape", "age", "trans", "mouth", "lip")) else 1.0
        if chosen == key:
            yield name, min(amount * mild, 0.9) * (1 + rng.normal(0, 0.05))
