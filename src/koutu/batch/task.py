"""What a worker is told to make and what it answers, both as JSON, a line each."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from koutu.types import InputError, ModelError, OutputError

MOMENTS = 3  # the worst, told of each item
MADE = "made.json"  # beside a segment that is whole
KINDS = {kind.__name__: kind for kind in (InputError, OutputError, ModelError)}


@dataclass(frozen=True)
class Task:
    """One piece of work. outputs: of `koutu.convert` → address; scratch: a folder on the results' disk, or "".

    memory_mb: that the worker may take, 0 for any. options: of `ItemOptions.told`. segment: seconds of the segments
    that longer videos are cut into, 0 for none; span: the one to make, from and until in seconds; folder: where it
    goes; segments: the folders of those to join.
    """

    source: str
    outputs: dict[str, str]
    options: dict[str, Any]
    picture: bool = False
    scratch: str = ""
    memory_mb: int = 0
    review: bool = True
    segment: float = 0.0
    span: tuple[str, str | None] | None = None
    folder: str = ""
    segments: tuple[str, ...] = ()

    def text(self) -> str:
        """As a line of JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Made:
    """What was made. files: name → bytes and SHA-256; seconds: of one worker.

    findings: the worst moments of the review; still: a JPEG as base64.
    """

    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    frames: int = 0
    video_seconds: float = 0.0
    seconds: float = 0.0
    peak_mb: float = 0.0
    lost: str = ""
    notes: tuple[str, ...] = ()
    findings: tuple[dict[str, Any], ...] = ()
    still: str = ""


@dataclass(frozen=True)
class Cut:
    """Nothing was made: the video is long enough to be cut into these, from and until in seconds."""

    spans: tuple[tuple[str, str | None], ...]


Answer: TypeAlias = Made | Cut


def task_of(text: str) -> Task:
    """The task of a line."""
    return Task(**json.loads(text))


def made_of(said: Mapping[str, Any]) -> Made:
    """What was made, as JSON holds it; raises ValueError or TypeError."""
    files = {name: (int(size), str(digest)) for name, (size, digest) in said["files"].items()}
    return Made(**{**said, "files": files, "notes": tuple(said["notes"]), "findings": tuple(said["findings"])})


def joined_made(segments: list[Made]) -> Made:
    """What came of all segments of one video, in order, but for their files."""
    worst = sorted((f for each in segments for f in each.findings), key=lambda f: -f["severity"])[:MOMENTS]
    gravest = max(segments, key=lambda each: max((f["severity"] for f in each.findings), default=-1.0))
    return Made(
        frames=sum(each.frames for each in segments), video_seconds=max(each.video_seconds for each in segments),
        seconds=sum(each.seconds for each in segments), peak_mb=max(each.peak_mb for each in segments),
        lost="; ".join(each.lost for each in segments if each.lost),
        notes=tuple(dict.fromkeys(note for each in segments for note in each.notes)),
        findings=tuple(worst), still=gravest.still,
    )  # fmt: skip


class Lost(Exception):
    """The worker ended before its work. ours: killed from outside, or with its machine, rather than by the work."""

    def __init__(self, reason: str, *, ours: bool):
        super().__init__(reason)
        self.ours = ours


def answer_of(text: str) -> Answer:
    """What came of a task; raises the KoutuError that was answered instead."""
    said = json.loads(text)
    if "error" in said:
        raise KINDS[said["kind"]](said["error"])
    if "spans" in said:
        return Cut(tuple((start, end) for start, end in said["spans"]))
    return made_of(said["made"])
