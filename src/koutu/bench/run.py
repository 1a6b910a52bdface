"""A whole benchmark as one dictionary, to be printed, kept as JSON and made into tables."""

import itertools
import json
import os
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from koutu import machine
from koutu.bench import energy, memory
from koutu.bench.cases import cases
from koutu.bench.plan import BenchPlan
from koutu.bench.rounds import Result, SampleClip, Turn, measure
from koutu.files import whole_file
from koutu.types import OutputError
from koutu.zoo import DEFAULT

_NUMBERS = re.compile(r"\[\s+(-?[\d.e+-]+(?:,\s+-?[\d.e+-]+)*)\s+\]")  # a list of numbers over several lines


def bench(
    models: Sequence[str] = (DEFAULT,),
    plan: BenchPlan | None = None,
    *,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure models (names, .onnx files, NAME=WEIGHTS) as `plan` says; `tell` hears what is done now.

    A row a case with milliseconds a frame of the matting stage and of the network in it, frames a second, times as fast
    as the reference (the median over rounds of the ratio of the medians), memory, energy, cost, every frame of every
    round; and the machine, versions, date and commit. A model that fails has its error in its row. Raises InputError.
    """
    plan = plan or BenchPlan()
    meter = energy.meter(plan.device)
    about = about_run()
    rows: list[dict[str, Any]] = []
    for (size, threads), group in itertools.groupby(cases(models, plan), key=lambda case: (case.size, case.threads)):
        where = f"{size[1]}×{size[0]}, {threads or 'default'} threads"
        tell(f"{where}: loading")
        results = measure(
            list(group), SampleClip(size), plan.rounds, seconds=plan.seconds, meter=meter,
            tell=lambda line, where=where: tell(f"{where}: {line}"),
        )  # fmt: skip
        for result in results:
            if plan.memory and not result.error:
                tell(f"{where}: memory of {result.case.name}")
                result.memory = memory.of_case(result.case)
        rows += [_row(result, results[0]) for result in results]
    counter = meter.name if meter else energy.UNKNOWN
    return about | {"load_after": machine.load_average(), "energy": counter, "plan": asdict(plan), "rows": rows}


def about_run() -> dict[str, Any]:
    """When, where and with what a benchmark runs."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="minutes"),
        "commit": machine.commit(),
        "machine": machine.describe(),
        "versions": machine.versions(),
        "load_before": machine.load_average(),
    }


def save(content: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Write JSON whole, lists of numbers on one line; raises OutputError."""
    text = json.dumps(_rounded(content), indent=1, ensure_ascii=False)
    text = _NUMBERS.sub(lambda found: f"[{', '.join(found[1].split()).replace(',,', ',')}]", text)
    try:
        with whole_file(Path(path)) as file:
            file.write(text.encode() + b"\n")
    except OSError as e:
        raise OutputError(f"{path} could not be written: {e.strerror}; make room or name another file") from e


def _row(result: Result, reference: Result) -> dict[str, Any]:
    case, turns = result.case, result.turns
    row = {
        "model": case.name, "what": result.title, "engine": case.engine, "precision": case.precision,
        "threads": case.threads, "size": list(case.size), "device": case.device, "reference": result is reference,
        "cost": asdict(result.cost), "memory_mb": result.memory, "error": result.error,
    }  # fmt: skip
    if result.error:
        return row
    frames = [ms for turn in turns for ms in turn.ms]
    joules = [turn.joules / len(turn.ms) for turn in turns if turn.joules is not None]
    return row | {
        "ms": spread(frames),
        "network_ms": spread([ms for turn in turns for ms in turn.network_ms]),
        "fps": statistics.median(1000 * len(turn.ms) / sum(turn.ms) for turn in turns),
        "times_reference": None if reference.error else ratio(reference.turns, turns),
        "joules_a_frame": statistics.median(joules) if joules else energy.UNKNOWN,
        "rounds": [asdict(turn) for turn in turns],
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile, and the range that the middle half of the values lies in."""
    low, median, high, p95 = np.percentile(values, [25, 50, 75, 95]).tolist()
    return {"median": median, "p95": p95, "iqr": high - low}


def ratio(reference: Sequence[Turn], turns: Sequence[Turn]) -> float:
    """Times as fast as the reference: the median over rounds of each round's ratio of median times a frame."""
    pairs = zip(reference, turns, strict=True)
    return statistics.median(statistics.median(a.ms) / statistics.median(b.ms) for a, b in pairs)


def _rounded(value: Any) -> Any:
    """Five digits of every measured number: more would only be noise."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value
