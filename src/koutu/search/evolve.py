"""Evolution along the front of quality and latency; every network that was tried is kept, so a search can go on."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from koutu.models.space import Choice, Space, plain
from koutu.types import InputError


@dataclass(frozen=True)
class Tried:
    """A shape and what was found of it: mean |error| of alpha × 1000 on held-out scenes, predicted milliseconds."""

    choice: Choice
    mad: float
    ms: float


def evolve(
    space: Space,
    judge: Callable[[Choice], float],
    latency: Callable[[Choice], float],
    log: Path,
    *,
    population: int,
    generations: int,
    seed: int = 0,
) -> Iterator[Tried]:
    """Every shape as it is tried, those of an earlier call on the same `log` first. No shape is judged twice.

    The first generation is the largest, the smallest, the largest with one thing about it smaller, and drawn ones up to
    `population`; then each is bred from the front of all so far.
    What a generation breeds depends on the seed and on what came before alone. Raises InputError for a damaged log.
    """
    known = {tried.choice: tried for tried in read(log)}
    yielded: list[Tried] = []
    with log.open("a", encoding="utf-8") as file:
        for generation in range(generations):
            rng = np.random.default_rng((seed, generation))
            for choice in _generation(space, yielded, population, rng):
                tried = known.get(choice)
                if tried is None:
                    tried = known[choice] = Tried(choice, judge(choice), latency(choice))
                    file.write(json.dumps({"choice": plain(choice), "mad": tried.mad, "ms": tried.ms}) + "\n")
                    file.flush()
                yielded.append(tried)
                yield tried


def front(tried: Sequence[Tried]) -> list[Tried]:
    """Those that no other beats in both, the quickest first."""
    best: list[Tried] = []
    for one in sorted(set(tried), key=lambda t: (t.ms, t.mad)):
        if not best or one.mad < best[-1].mad:
            best.append(one)
    return best


def chosen(members: Sequence[Tried], budget: float | None) -> Tried:
    """The best of a front within a budget of milliseconds, or the whole front's knee. Raises InputError if none fits.

    The knee: the farthest below the line between the front's ends, both axes in shares of its extent.
    """
    if budget is not None:
        fitting = [t for t in members if t.ms <= budget]
        if not fitting:
            quickest = min(t.ms for t in members)
            raise InputError(f"expected a budget of {quickest:.2f} ms or more, got {budget:g}; raise it")
        return min(fitting, key=lambda t: t.mad)
    ms, mad = (np.array([getattr(t, name) for t in members]) for name in ("ms", "mad"))
    below = (ms - ms.min()) / max(np.ptp(ms), 1e-9) + (mad - mad.min()) / max(np.ptp(mad), 1e-9)
    return members[int(below.argmin())]


def read(log: Path) -> list[Tried]:
    """What an earlier search tried; nothing if there was none. A line that was cut off at the end is left out."""
    found: list[Tried] = []
    lines = log.read_text("utf-8").splitlines(keepends=True) if log.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            found.append(Tried(Choice.read(entry["choice"]), entry["mad"], entry["ms"]))
        except (ValueError, KeyError, TypeError) as e:
            if number == len(lines) and not line.endswith("\n"):
                log.write_text("".join(lines[:-1]), "utf-8")
                break
            raise InputError(f"{log}, line {number}: expected a network that was tried, got {line[:60]!r}") from e
    return found


def _generation(space: Space, past: Sequence[Tried], population: int, rng: np.random.Generator) -> list[Choice]:
    if not past:
        first = [space.largest(), space.smallest(), *space.neighbours()]
        return [*first, *(space.draw(rng) for _ in range(population - len(first)))]
    parents, seen = [t.choice for t in front(past)], {t.choice for t in past}
    children: list[Choice] = []
    for _ in range(50 * population):
        child = space.child(parents, rng)
        if child not in seen and len(children) < population:
            seen.add(child)
            children.append(child)
    return children
