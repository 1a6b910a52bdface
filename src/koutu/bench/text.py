"""A benchmark for a terminal of 100 columns."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

_COLUMNS = ("median", "p95", "spread", "network", "fps")
_HEAD = f"{'':24} {'engine':11} {'weights':7}{''.join(f'{c:>8}' for c in _COLUMNS)}{'× ref':>7}{'MB':>7}"
MISSING = "–"


def lines(content: dict[str, Any]) -> Iterator[str]:
    """Milliseconds a frame by size and threads; then what the models cost, what ran where, and what failed."""
    machine = content["machine"]
    rounds = content["plan"]["rounds"]
    yield f"{machine['cores']} cores, {machine['cpu']}, {machine['system']}; medians of {rounds} rounds"
    yield "milliseconds a frame of the matting stage; spread: of the middle half; network: median in it"
    for (size, threads), rows in groupby(content["rows"], key=lambda row: (tuple(row["size"]), row["threads"])):
        yield ""
        yield f"{size_text(size)}, {thread_text(threads)}"
        yield _HEAD
        yield from (_timed(row) for row in rows)
    yield ""
    yield from _costs(content["rows"])
    yield from _energy(content)
    yield from _ending(content)


def size_text(size: Sequence[int]) -> str:
    """(H, W) as W×H."""
    return f"{size[1]}×{size[0]}"


def thread_text(threads: int) -> str:
    """A number of threads in words."""
    return {0: "the engines' own number of threads", 1: "1 thread"}.get(threads, f"{threads} threads")


def millions(value: float | None, unit: float = 1e6) -> str:
    """In millions, or another unit, to three digits."""
    return MISSING if value is None else f"{value / unit:.3g}"


def _timed(row: dict[str, Any]) -> str:
    start = f"{short(row['model'], 22)}{' *' if row['reference'] else ''}".ljust(24) + f" {row['engine']:11} "
    if row["error"]:
        return f"{start}{row['precision']:7}  failed, see below"
    ms, memory, times = row["ms"], row["memory_mb"], row["times_reference"]
    peak = f"{memory['peak']:.0f}" if isinstance(memory, dict) else MISSING
    return (
        f"{start}{row['precision']:7}{ms['median']:8.1f}{ms['p95']:8.1f}{ms['iqr']:8.1f}"
        f"{row['network_ms']['median']:8.1f}{row['fps']:8.1f}{MISSING if times is None else f'{times:.2f}':>7}{peak:>7}"
    )


def _costs(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield f"{'':24} {'file':34}{'MB':>8}{'M params':>10}{'GMACs':>8} at"
    shown = set()
    for row in rows:
        cost = row["cost"]
        line = (
            f"{short(row['model'], 24):24} {short(cost['file'] or MISSING, 34):34}{millions(cost['bytes']):>8}"
            f"{millions(cost['params']):>10}{millions(cost['macs'], 1e9):>8} "
            f"{size_text(cost['at']) if cost['at'] else MISSING}"
        )
        if not row["error"] and line not in shown:
            yield line
        shown.add(line)


def _energy(content: dict[str, Any]) -> Iterator[str]:
    yield f"energy: {content['energy']}"
    for row in content["rows"]:
        joules = row.get("joules_a_frame")
        if isinstance(joules, float):
            where = f"{row['engine']}, {size_text(row['size'])}, {thread_text(row['threads'])}"
            yield f"  {row['model']}, {where}: {joules:.3g} J a frame"


def _ending(content: dict[str, Any]) -> Iterator[str]:
    for row in content["rows"]:
        if row["error"]:
            what = f"failed: {row['model']}, {row['engine'] or 'no engine'}, {size_text(row['size'])}: {row['error']}"
            yield from textwrap.wrap(what, 100, subsequent_indent="  ", break_on_hyphens=False)
    memories = {row["memory_mb"] for row in content["rows"] if isinstance(row["memory_mb"], str) and not row["error"]}
    yield from (f"memory: {reason}" for reason in sorted(memories))
    reference = next((row["model"] for row in content["rows"] if row["reference"]), "")
    yield f"* the reference, {reference}, run in every round beside the others, at their size and threads"
    before, after = content["load_before"], content["load_after"]
    if before is not None:
        yield f"load of the machine {before} before, {after} after; figures of a busy machine wander"


def short(text: str, width: int) -> str:
    """At most `width` letters, the middle left out."""
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[-end:]}"
