"""A package's card.json: what runs it here, and what somebody must know who runs the .om."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from koutu.engines.ascend.aipp import Aipp
from koutu.engines.exported.card import MARK, VERSION
from koutu.export.ascend.options import PackageOptions
from koutu.export.ascend.ports import Ports
from koutu.files import sha256_of

if TYPE_CHECKING:
    from koutu.export.parity import ClipDifference


def card_content(
    part: Path,
    name: str,
    found: Ports,
    aipp: Aipp,
    options: PackageOptions,
    *,
    figures: "ClipDifference | None" = None,
    built: str = "",
) -> dict[str, Any]:
    """The card of what lies in `part` by now; in the form of all cards of `koutu export`, with a part of its own."""
    files = sorted(
        path for path in part.iterdir() if not path.name.startswith(".") and path.suffix not in (".json", ".md")
    )
    height, width = found.size
    tensor = {"dtype": "float32", "layout": "NCHW"}
    return {
        MARK: VERSION, "name": name, "target": "ascend", "main": f"{name}.onnx",
        "files": {path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size} for path in files},
        "size": {"width": aipp.source[1], "height": aipp.source[0]},
        "network_size": {"width": width, "height": height}, "stride": 1, "pixels": height * width, "ratio": None,
        "input": {
            "name": found.src, **tensor, "shape": list(found.inputs[found.src]), "levels": "0-1", "colours": "RGB",
            "normalisation": "AIPP makes it of the camera's bytes",
        },
        "states": [
            {"name": into, "fed_by": fed, **tensor, "shape": list(found.inputs[into]), "first": "zeros"}
            for into, fed in found.states.items()
        ],
        "outputs": {"pha": {"name": found.pha, **tensor, "shape": [1, 1, height, width], "levels": "0-1"}},
        "first_frame": "shown twice, with the memory of the first time, where there is memory",
        "ascend": {
            "soc": options.soc, "aipp": "aipp.cfg", "bytes": aipp.size, "source_format": options.source_format,
            "matrix": options.matrix, "full_range": options.full_range, "memory_type": options.memory_type,
            "operators": options.list_name, "om": built or "not built",
        },
        "parity": _parity(figures), **options.about,
    }  # fmt: skip


def _parity(figures: "ClipDifference | None") -> dict[str, Any]:
    if figures is None:
        return {"verified": False, "why": "being written"}
    return {
        "verified": True, "against": "the ONNX file it was made of, in float32 and with exact colours",
        "engine": "ONNX Runtime behind a simulation of AIPP; not the chip",
        "clips": [
            {
                "clip": figures.clip, "frames": figures.frames, "width": figures.size[1], "height": figures.size[0],
                "largest": float(f"{figures.largest:.3g}"), "mean": float(f"{figures.mean:.3g}"),
                "dtssd_x100": float(f"{figures.dtssd:.3g}"),
            }
        ],
    }  # fmt: skip


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write the card."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
