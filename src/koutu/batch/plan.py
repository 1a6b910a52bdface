"""How a batch is done, and what each of its items follows from."""

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

from koutu.batch.places import absolute
from koutu.batch.sources import Item
from koutu.machine import memory_mb

SHARE = 0.8  # of a machine's memory, for all workers together


@dataclass(frozen=True)
class BatchPlan:
    """workers: 0 for as many as cores and memory allow. max_memory: MB for all of a machine's, 0 for four fifths.

    segment: seconds of the segments that videos half as long again or longer are cut into; 0 for none.
    """

    workers: int = 0
    max_memory: int = 0
    segment: float = 60.0
    review: bool = True
    retry_failed: bool = False


def limit_mb(plan: BatchPlan) -> int:
    """Megabytes that all workers of a machine may take; 0 where the system does not tell its memory."""
    return plan.max_memory or int(SHARE * (memory_mb() or 0))


def asked_of(item: Item, segment: float, hashes: dict[tuple[str, str], str]) -> str:
    """SHA-256 of what the result follows from. hashes: of networks, kept from item to item."""
    network = item.options.model, item.options.weights
    if network not in hashes:
        hashes[network] = item.options.weights_hash()
    stats = {name: os.stat(path) for name, path in item.options.files.items()}
    beside = {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}
    asked = item.options.told()
    said: list[Any] = [absolute(item.source), item.size, item.mark, asked, beside, segment, hashes[network]]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
