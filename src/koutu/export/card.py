"""The card that is written beside an export: everything that somebody needs who has the files alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from koutu.engines.exported.card import ANY, MARK, VERSION
from koutu.export.job import Converted, Job, versions
from koutu.export.parity import Bounds, ClipDifference
from koutu.export.subject import Subject
from koutu.files import sha256_of
from koutu.machine import cpu_name

NORMALISED = "inside the file: give levels as they are"
TO_NORMALISE = "divide levels by 255; the network's own normalisation is inside"


@dataclass(frozen=True)
class Proof:
    """What the parity check found. why_not: the file cannot run here; quality, eight: of int8, clips and layers."""

    figures: Sequence[ClipDifference] = ()
    bounds: Bounds | None = None
    engine: str = ""
    why_not: str = ""
    quality: Sequence[Mapping[str, Any]] = ()
    eight: Mapping[str, Any] = field(default_factory=dict)


def content(
    subject: Subject, job: Job, made: Converted, target: str, command: str, proof: Proof, *, refine: bool
) -> dict[str, Any]:
    """The card as JSON has it."""
    module, geometry = job.module, job.module.geometry
    return {
        MARK: VERSION,
        "name": subject.name,
        "target": target,
        "main": made.main.name,
        "files": {str(path.relative_to(job.folder)): _file(path) for path in _all(made.files)},
        "precision": job.precision,
        "size": _size(geometry.size),
        "network_size": _size(geometry.seen),
        "ratio": str(geometry.ratio) if geometry.ratio else None,
        "refined": refine,
        "stride": module.network.stride,
        "pixels": job.pixels,
        "input": _source(job, made),
        "states": [_memory(job, made, *pair) for pair in module.names.states.items()],
        "outputs": {name: _output(job, made, name) for name in ("pha", "fgr") if name in module.names.outputs},
        "first_frame": "shown twice, with the memory of the first time, where there is memory",
        "parity": _parity(proof),
        **({"int8": {**proof.eight, "quality": list(proof.quality)}} if proof.quality else {}),
        "notes": list(made.notes),
        "licence": subject.licence,
        "data": subject.data,
        "network": subject.kind,
        "made_from": _origin(subject),
        "tools": versions(("koutu", *made.tools)),
        "command": command,
    }


def about(subject: Subject, job: Job, proof: Proof, command: str) -> dict[str, Any]:
    """What the card of a device's folder gets beside what its writer says."""
    return {
        "precision": "fp16", "refined": False, "notes": [], "licence": subject.licence, "data": subject.data,
        "network": subject.kind, "made_from": _origin(subject), "parity_of_its_onnx": _parity(proof),
        "tools": versions(("koutu", "torch", "onnx", "onnxslim", "protobuf")), "command": command,
    }  # fmt: skip


def save(path: Path, card: Mapping[str, Any]) -> None:
    """Write the card."""
    path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _origin(subject: Subject) -> dict[str, str]:
    return {"checkpoint": subject.checkpoint or "random weights", "sha256": subject.sha256}


def _source(job: Job, made: Converted) -> dict[str, Any]:
    module = job.module
    name = module.names.source
    layout = made.layouts.get(name, "NHWC" if module.inside else "NCHW")
    return {
        "name": made.names.get(name, name),
        "dtype": "uint8" if module.inside else "float32",
        "layout": layout,
        "shape": _shape(layout, 3, *_sides(module.geometry.size, "HW")),
        "levels": "0-255" if module.inside else "0-1",
        "colours": "RGB",
        "normalisation": NORMALISED if module.inside else TO_NORMALISE,
    }


def _memory(job: Job, made: Converted, name: str, output: str) -> dict[str, Any]:
    layout = made.layouts.get(name, "NCHW")
    module = job.module
    if module.remembers_alpha:
        shape = _shape(layout, 1, *_sides(module.geometry.seen, "hw"))
    else:
        place = list(module.names.states).index(name)
        sides = module.initial_state(job.size)[place].shape
        shape = [int(side) for side in (sides[1:] if layout == "CHW" else sides)]
    return {
        "name": made.names.get(name, name), "fed_by": made.names.get(output, output), "dtype": "float32",
        "layout": layout, "shape": shape, "first": "zeros",
    }  # fmt: skip


def _output(job: Job, made: Converted, name: str) -> dict[str, Any]:
    layout, channels = made.layouts.get(name, "NCHW"), {"pha": 1, "fgr": 3}[name]
    return {
        "name": made.names.get(name, name), "dtype": "float32", "layout": layout,
        "shape": _shape(layout, channels, *_sides(job.module.geometry.size, "HW")), "levels": "0-1",
        **({"colours": "RGB"} if name == "fgr" else {}),
    }  # fmt: skip


def _shape(layout: str, channels: int, height: int | str, width: int | str) -> list[int | str]:
    if layout == "CHW":
        return [channels, height, width]
    return [1, height, width, channels] if layout in ("NHWC", "image") else [1, channels, height, width]


def _sides(size: tuple[int, int] | None, letters: str) -> tuple[int | str, int | str]:
    return size or (letters[0], letters[1])


def _size(size: tuple[int, int] | None) -> Any:
    return ANY if size is None else {"width": size[1], "height": size[0]}


def _parity(proof: Proof) -> dict[str, Any]:
    if proof.why_not or proof.bounds is None:
        return {"verified": False, "why": proof.why_not}
    rows = [
        {
            "clip": row.clip, "frames": row.frames, "width": row.size[1], "height": row.size[0],
            "largest": float(f"{row.largest:.3g}"), "mean": float(f"{row.mean:.3g}"),
            "dtssd_x100": float(f"{row.dtssd:.3g}"),
        }
        for row in proof.figures
    ]  # fmt: skip
    allowed = {"largest": proof.bounds.largest, "mean": proof.bounds.mean, "dtssd_x100": proof.bounds.dtssd}
    return {
        "verified": True, "against": "torch, float32, each with its own memory", "engine": proof.engine,
        "cpu": cpu_name(), "clips": rows, "allowed": allowed,
    }  # fmt: skip


def _file(path: Path) -> dict[str, Any]:
    return {"sha256": sha256_of(path), "bytes": path.stat().st_size}


def _all(files: Sequence[Path]) -> list[Path]:
    """Files, and those in folders."""
    return [
        inner for path in files for inner in (sorted(path.rglob("*")) if path.is_dir() else [path]) if inner.is_file()
    ]
