"""Networks asked who is in a picture: what each says, what they say together, and where they do not agree."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from koutu import third_party
from koutu.engines.backend import Backend
from koutu.engines.blazepose import DETECTORS
from koutu.engines.described.per_size import files_of, is_template
from koutu.matting.matter import Matter
from koutu.models import MODELS as NETWORKS
from koutu.types import InputError, Rgb
from koutu.zoo import BLAZEPOSE, MODELS, load_named

Mask = NDArray[np.float32]


@dataclass(frozen=True)
class Teacher:
    """A network and the file it runs from. licence: as its makers state it, empty where koutu does not know it.

    description: SHA-256 of the YAML file that describes it, empty where there is none.
    """

    name: str
    file: str
    sha256: str
    licence: str
    description: str = ""


@dataclass(frozen=True)
class Opinion:
    """Who is in a picture. mask (H, W) in [0, 1]; answers: what each teacher said, by name; none with given masks."""

    mask: Mask
    answers: Mapping[str, Mask]

    @property
    def suspected(self) -> Mask:
        """The mean of what was said (H, W): also where only some see somebody."""
        answers = [*self.answers.values()] or [self.mask]
        return np.asarray(np.mean(np.stack(answers), axis=0), np.float32)


@lru_cache(8)
def teachers(networks: tuple[str, ...]) -> tuple[Teacher, ...]:
    """Who the networks "NAME" or "NAME=FILE" are; raises InputError, ModelError where one does not run."""
    found = tuple(_teacher(spec) for spec in networks)
    for at, teacher in enumerate(found):
        for other in found[:at]:
            if teacher.name == other.name:
                raise InputError(f"expected each network once, got {teacher.name} twice; leave one --network out")
    return found


def read_anew(networks: tuple[str, ...]) -> tuple[Teacher, ...]:
    """As `teachers`, from the files as they are now."""
    teachers.cache_clear()
    _backend.cache_clear()
    return teachers(networks)


def asked(rgb: Rgb, networks: Sequence[str], *, mirrored: bool) -> Opinion:
    """What the networks say of (H, W, 3), each alone and all together.

    mirrored: each is shown the mirror image too, and the mean of both is what it says. Raises ModelError.
    """
    answers = {}
    for spec in networks:
        backend = _backend(spec)
        answer = _answer(backend, rgb)
        if mirrored:
            answer = (answer + _answer(backend, np.ascontiguousarray(rgb[:, ::-1]))[:, ::-1]) / 2
        answers[_name(spec)] = answer
    return Opinion(together(answers), answers)


def together(answers: Mapping[str, Mask]) -> Mask:
    """What teachers say together (H, W): one speaks for itself, several vote, by the median being over ½ or not.

    So of three no one alone decides, and how wide the band must be is left to the picture.
    """
    median = np.median(list(answers.values()), axis=0)
    return (median if len(answers) < 2 else median > 0.5).astype(np.float32)


def agreement(opinion: Opinion) -> dict[str, float]:
    """Intersection over union of each teacher's answer and the mask, over ½, rounded."""
    own = opinion.mask > 0.5
    found = {}
    for name, answer in opinion.answers.items():
        union = int(((answer > 0.5) | own).sum())
        found[name] = round(float(((answer > 0.5) & own).sum()) / union, 4) if union else 1.0
    return found


def in_dispute(answers: Mapping[str, Mask]) -> NDArray[np.bool_]:
    """Where a quarter of them or more are against the others on whether it is a person (H, W)."""
    for_it = np.sum([answer > 0.5 for answer in answers.values()], axis=0)
    return np.asarray(4 * np.minimum(for_it, len(answers) - for_it) >= len(answers))


def _answer(backend: Backend, rgb: Rgb) -> Mask:
    return (Matter(backend)(rgb).alpha / 255).astype(np.float32)


def _teacher(spec: str) -> Teacher:
    _backend(spec)  # what is wrong with it is an error before anything is done
    name, _, file = spec.partition("=")
    if name in MODELS:
        card = MODELS[name]
        return Teacher(_name(spec), card.file, card.sha256, card.licence)
    path = Path(file or name)
    described = _description(name)
    return Teacher(
        _name(spec), path.name, _digest(path), _licence(name, described), _digest(described) if described else ""
    )


def _digest(path: Path) -> str:
    """SHA-256 of a file, of the files of a template, or of a folder that networks are in; empty for a name."""
    files = files_of(str(path)) if is_template(str(path)) else [path]
    if not files[0].is_file():
        files = sorted(p for p in path.glob("*") if p.suffix == ".tflite" or p.name in DETECTORS)
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest() if files else ""


def _description(name: str) -> Path | None:
    """The YAML file that describes a network, if one does."""
    described = third_party.path(name) if name in third_party.names() else Path(name)
    return described if described.suffix in (".yaml", ".yml") else None


def _licence(name: str, described: Path | None) -> str:
    if name in NETWORKS:
        return NETWORKS[name].licence
    if name == BLAZEPOSE:
        return "Apache-2.0"
    if described is None:
        return ""
    from koutu.engines.described.description import read_description

    return read_description(described).licence


def _name(spec: str) -> str:
    name = spec.partition("=")[0]
    return Path(name).stem if Path(name).suffix in (".yaml", ".yml", ".onnx", ".json") else name


@lru_cache(8)
def _backend(spec: str) -> Backend:
    return load_named(spec, threads=1)
