"""What came of wrong memories and of people who come in, over all clips: medians and worst cases, as text and HTML."""

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from koutu.evaluation.curves import chart
from koutu.evaluation.recovery import AFTER, FLOOR, HOLD, KINDS, TOLERANCE
from koutu.evaluation.result import Evaluation

EXPLAINED = (
    f"Frames until MAD is normal again, for {HOLD} frames on end: at most {1 + TOLERANCE:g} times that of the same "
    f"network on the same frame without the mishap, or for who comes in of a start on that frame, and {FLOOR:g} of a "
    f"thousandth. Cuts are not looked for. {AFTER} frames are watched; networks without memory recover by construction."
)


@dataclass(frozen=True)
class Recovered:
    """One kind of `recovery.KINDS` over the clips of a network.

    median, worst: frames; never: clips that were not normal within `AFTER` frames, which count as so many. extra: how
    much larger the sum of all errors watched was than normal, ×100. memory: the network has one.
    """

    median: float
    worst: int
    never: int
    clips: int
    extra: float
    memory: bool


def recoveries(run: Evaluation) -> dict[str, dict[str, dict[str, Any]]]:
    """network → kind → the fields of `Recovered`; without kinds that have no meaning for a network or a set."""
    return {model: {kind: vars(found) for kind, found in kinds.items()} for model, kinds in summed_up(run).items()}


def summed_up(run: Evaluation) -> dict[str, dict[str, Recovered]]:
    """network → kind → `Recovered`; empty where nothing was tried."""
    found: dict[str, dict[str, Recovered]] = {}
    for model in run.models:
        trials = [trial for r in run.results if r.model == model for trial in r.trials]
        kinds = {kind: [t for t in trials if t["kind"] == kind] for kind in KINDS}
        found[model] = {kind: recovered(of_kind) for kind, of_kind in kinds.items() if of_kind}
    return found


def recovered(trials: Sequence[Mapping[str, Any]]) -> Recovered:
    """One kind summed up over clips; trials: fields of `recovery.Trial`, at least one."""
    frames = [trial["frames"] for trial in trials]
    error, normal = (sum(sum(trial[key]) for trial in trials) for key in ("errors", "normal"))
    return Recovered(
        float(np.median(frames)), max(frames), sum(not trial["back"] for trial in trials), len(trials),
        100 * (error / normal - 1) if normal else 0.0, any(trial["errors"] for trial in trials),
    )  # fmt: skip


def lines(run: Evaluation) -> Iterator[str]:
    """For a terminal: a line a kind, "median, worst" frames of every network; and what could not be tried."""
    found = summed_up(run)
    if any(found.values()):
        width = max(18, *(len(name) for name in found)) + 2
        yield "frames until normal, median and worst (+ error over all frames watched)"
        yield f"{'':14}" + "".join(f"{name:>{width}}" for name in found)
        for kind in KINDS:
            if any(kind in kinds for kinds in found.values()):
                yield f"{kind:14}" + "".join(f"{_shown(kinds.get(kind)):>{width}}" for kinds in found.values())
    untried = [r for r in run.results if r.untried]
    if untried:
        yield f"memory not tried on {len(untried)} clip(s), first: {untried[0].clip}: {untried[0].untried}"


def section(run: Evaluation) -> Iterator[str]:
    """The same as HTML, with curves of the mean error after each mishap."""
    found = summed_up(run)
    if not any(found.values()):
        return
    heads = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in found)
    yield f"<h2>A wrong memory, and people who come in</h2><p>{html.escape(EXPLAINED)}</p>"
    yield f'<div class="wide"><table><thead><tr><th scope="col">kind</th>{heads}</tr></thead><tbody>'
    for kind, meaning in KINDS.items():
        cells = "".join(f"<td>{html.escape(_shown(kinds.get(kind)))}</td>" for kinds in found.values())
        yield f"<tr><td>{kind}<small>{html.escape(meaning)}</small></td>{cells}</tr>"
    yield "</tbody></table></div>"
    for kind in KINDS:
        curves = {name: line for name in found if (line := _excess(run, name, kind))}
        if curves:
            title = f"{kind}: MAD above normal, mean over clips"
            yield f"<figure>{chart(title, curves)}<figcaption>{title}</figcaption></figure>"


def _shown(found: Recovered | None) -> str:
    if found is None:
        return "–"
    if not found.memory:
        return "0 (no memory)"
    worst = f"> {AFTER}" if found.never else f"{found.worst}"
    return f"{found.median:g}, {worst} ({found.extra:+.1f} %)"


def _excess(run: Evaluation, model: str, kind: str) -> list[float]:
    """Mean over clips of what the error is above normal, frame by frame; empty without a memory."""
    tried = [t for r in run.results if r.model == model for t in r.trials if t["kind"] == kind and t["errors"]]
    if not tried:
        return []
    above = np.maximum(0, np.array([t["errors"] for t in tried]) - np.array([t["normal"] for t in tried]))
    return [float(x) for x in above.mean(axis=0)]
