"""What an evaluation found: a result for every network and clip, and the run that they are of."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from koutu.evaluation.settings import MeasureSettings


@dataclass
class ClipResult:
    """One network on one clip: a row of figures a frame, what was broken, and why the network failed, if it did."""

    model: str
    clip: str
    still: bool
    names: list[str] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    broken: list[dict[str, str]] = field(default_factory=list)
    error: str = ""
    matting_seconds: float = 0.0
    low_frames: int = 0  # that a gate left to the network's low-resolution branch
    picture: str = ""  # of the worst frame, in the run's folder, if it is among the worst of all
    worst: int = -1  # its index in rows
    trials: list[dict[str, Any]] = field(default_factory=list)  # of `koutu.evaluation.recovery`, if asked for
    untried: str = ""  # why there are none


@dataclass(frozen=True)
class Evaluation:
    """What was evaluated: networks by the names they go by, the set, the settings; and every result."""

    models: dict[str, str]  # name → what ran
    data: dict[str, Any]
    settings: MeasureSettings
    results: list[ClipResult]
    folder: Path
