"""How sets are packed, and packs looked into, if nothing else is said."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PackPlan:
    """backgrounds: RGB of any images and videos, not RGBA of people. emptied: of the sets of backgrounds, those that
    are sets of people, whose places are wanted. long_side: pixels, 0 for 448 and 640.

    frames: of a clip, at most, evenly spread; 0 for 8, or for all if the clip is made to be kept whole.
    exclude: names, or text files of names, as `sources.without`. threads: that read, 0 for as many as the CPU runs.
    shard_mb: pixels a file, in millions of bytes, 0 for one file of all. clean: every set must be said to be clean.
    """

    backgrounds: bool = False
    long_side: int = 0
    frames: int = 0
    exclude: Sequence[str] = ()
    threads: int = 0
    emptied: Sequence[str] = ()
    shard_mb: int = 0
    clean: bool = False


@dataclass(frozen=True)
class AuditPlan:
    """count: images looked at of every set. seed: what is drawn follows from it."""

    count: int = 60
    seed: int = 0
