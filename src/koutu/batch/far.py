"""A process of Ray's on one of its machines, which hands tasks to a worker of koutu's beside it.

It imports nothing that computes: the worker does.
"""

import json
import platform
from functools import lru_cache

from koutu import cluster, machine
from koutu.batch.process import Process
from koutu.batch.task import Lost

_held: list[Process] = []  # the worker, kept from task to task


def asked(task: str, versions: dict[str, str]) -> str:
    """What the worker answers, or why it did not. versions: of who asks."""
    if told := _difference(tuple(versions.items())):
        return json.dumps({"versions": told, "machine": platform.node()})
    if _held and not _held[0].is_running:
        _held.pop().end()
    try:
        if not _held:
            _held.append(Process())
        return _held[0].ask(task)
    except Lost as lost:
        return json.dumps({"lost": str(lost), "ours": lost.ours})


@lru_cache(maxsize=2)
def _difference(versions: tuple[tuple[str, str], ...]) -> str:
    return cluster.difference(dict(versions), machine.versions())
