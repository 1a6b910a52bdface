"""What a worker is told to make and what it answers, both as JSON, a line each."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

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
    """What came of a task. files: address → bytes and SHA-256; fields as of `Entry`.

    spans: nothing was made, the video is long enough to be cut into these.
    """

    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    frames: int = 0
    video_seconds: float = 0.0
    seconds: float = 0.0
    peak_mb: float = 0.0
    lost: str = ""
    notes: list[str] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    still: str = ""
    spans: list[tuple[str, str | None]] = field(default_factory=list)


def task_of(text: str) -> Task:
    """The task of a line."""
    return Task(**json.loads(text))


def joined_made(segments: list[Made]) -> Made:
    """What came of all segments of one video, in order, but for their files."""
    worst = sorted((f for each in segments for f in each.findings), key=lambda f: -f["severity"])[:MOMENTS]
    gravest = max(segments, key=lambda each: max((f["severity"] for f in each.findings), default=-1.0))
    return Made(
        frames=sum(each.frames for each in segments), video_seconds=max(each.video_seconds for each in segments),
        seconds=sum(each.seconds for each in segments), peak_mb=max(each.peak_mb for each in segments),
        lost="; ".join(each.lost for each in segments if each.lost),
        notes=list(dict.fromkeys(note for each in segments for note in each.notes)),
        findings=worst, still=gravest.still,
    )  # fmt: skip


class Lost(Exception):
    """The worker ended before its work. ours: killed from outside, or with its machine, rather than by the work."""

    def __init__(self, reason: str, *, ours: bool):
        super().__init__(reason)
        self.ours = ours


def made_of(answer: str) -> Made:
    """What was made; raises the KoutuError that was answered instead."""
    said = json.loads(answer)
    if "error" in said:
        raise KINDS[said["kind"]](said["error"])
    return Made(**said["made"])
