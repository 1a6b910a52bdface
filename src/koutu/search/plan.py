"""How a search goes if nothing else is said."""

from dataclasses import dataclass

from koutu.defaults import ENGINE


@dataclass(frozen=True)
class SearchPlan:
    """How long to search, and for which machine. budget: milliseconds a frame; None takes the front's knee."""

    population: int = 16
    generations: int = 8
    clips: int = 24
    checks: int = 8
    engine: str = ENGINE
    threads: int = 1
    budget: float | None = None
    seed: int = 0
