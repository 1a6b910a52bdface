"""An export in eight bits: scales from real frames, and what they cost on every clip, before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.exported.backend import ExportedBackend
from koutu.export import card
from koutu.export.clips import CalibrationClip, clip_of, halves
from koutu.export.clips import made as made_scenes
from koutu.export.defaults import SceneSources
from koutu.export.int8.quantise import Quantised, quantised, recorded
from koutu.export.job import Converted, Job, Watch
from koutu.export.parity import compared, rolled_out
from koutu.export.subject import Subject
from koutu.export.targets import onnx as to_onnx
from koutu.export.trace import write_described
from koutu.metrics.video import PRINTED, dtssd


@dataclass(frozen=True)
class Eight:
    """The int8 file beside the float32 one it is made of, as backend `plain`; clips by name that tell the cost."""

    made: Converted
    found: Quantised
    plain: ExportedBackend
    clips: Mapping[str, CalibrationClip]

    def summary(self) -> dict[str, Any]:
        """For the card; errors in thousandths of alpha on the later half of each clip, which gave no scales."""
        found = self.found
        return {
            "layers": found.layers, "kept_in_float32": list(found.kept), "error": round(found.error, 4),
            "error_with_all_layers": round(found.whole, 4),
        }  # fmt: skip


def to_bytes(
    job: Job, subject: Subject, videos: Sequence[Path], scenes: SceneSources | None, tolerance: float, watch: Watch
) -> Eight:
    """NAME.onnx of the job in eight bits; its layers stay float32 as far as `tolerance` (thousandths of alpha) asks.

    The earlier half of every video gives scales, and the later one tells what they cost; made scenes take turns.
    """
    folder = job.folder / "float32"
    folder.mkdir()
    plain = replace(job, folder=folder, precision="fp32")
    made = to_onnx.convert(plain)
    _describe(plain, made.main)
    draft = folder / "draft.json"
    card.save(draft, card.content(subject, plain, made, "onnx", "", card.Proof(why_not="-"), refine=job.module.refine))
    backend = ExportedBackend(draft, threads=1)
    clips = {video.name: clip_of(video, backend.network_size) for video in videos}
    calibration = [half for clip in clips.values() for half in halves(clip)]
    if scenes is not None:
        composed = list(made_scenes(scenes, backend.network_size, watch))
        calibration += composed
        clips |= {f"scene {i + 1}": scene for i, scene in enumerate(composed)}
    recordings = [recorded(backend, clip) for clip in calibration]
    found = quantised(made.main, job.path(".onnx"), recordings, tolerance, watch)
    _finish(job)
    tools = (*made.tools, "onnxruntime")
    return Eight(Converted(job.path(".onnx"), (job.path(".onnx"),), tools=tools), found, backend, clips)


def quality(eight: Eight, backend: ExportedBackend, watch: Watch) -> list[dict[str, Any]]:
    """A row for each clip: the int8 file against float32, and both against the truth where it is known.

    mean, largest, dtssd_x100: of the difference to float32. float32_…, int8_…: thousandths of alpha off the truth, and
    dtSSD × 100.
    """
    rows = []
    for i, (name, clip) in enumerate(eight.clips.items()):
        watch(i, len(eight.clips), f"int8 on {name}")
        before, after = rolled_out(eight.plain, clip.src), rolled_out(backend, clip.src)
        size = clip.src.shape[1], clip.src.shape[2]
        figures = compared(after, before, name, size)
        row: dict[str, Any] = {
            "clip": name, "frames": figures.frames, "mean": _short(figures.mean), "largest": _short(figures.largest),
            "dtssd_x100": _short(figures.dtssd),
        }  # fmt: skip
        if clip.pha is not None:
            for label, found in (("float32", before), ("int8", after)):
                mad, change = _off(found, clip.pha)
                row |= {f"{label}_mad_x1000": _short(mad), f"{label}_dtssd_x100": _short(change)}
        rows.append(row)
    return rows


def _off(found: Sequence[NDArray[np.float32]], true: NDArray[Any]) -> tuple[float, float]:
    """Mean |alpha − truth| × 1000 and dtSSD × 100."""
    truth = [pha.astype(np.float32) / 255 for pha in true]
    given = [np.clip(pha, 0, 1) for pha in found]
    mad = 1000 * float(np.mean([np.abs(a - b).mean() for a, b in zip(given, truth, strict=True)]))
    steps = [dtssd(a, b, c, d) for (a, c), (b, d) in zip(pairwise(given), pairwise(truth), strict=True)]
    return mad, PRINTED["dtssd"] * float(np.mean(steps)) if steps else 0.0


def _describe(job: Job, path: Path) -> None:
    """Metadata that the quantiser's reader asks every file for."""
    write_described(path, path.read_bytes(), job.module.card(job.name, job.pixels) | {"stride": 1})


def _finish(job: Job) -> None:
    """The metadata that the finished file has in every precision."""
    import onnx

    to_onnx.write(job, onnx.load(job.path(".onnx")))


def _short(value: float) -> float:
    return float(f"{value:.3g}")
