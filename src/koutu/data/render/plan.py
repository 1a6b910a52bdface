"""The samples of a seed: which person, which view, in which order; the same whoever renders them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from koutu.data.render.people import STRANDS, STRANDS_IN_GROUPS, draw_person
from koutu.data.render.views import draw_view
from koutu.types import InputError

PLAN = 2  # what a seed draws, and what is made of it: another number for other people of the same seed
KINDS = {"still": 4, "group": 2, "clip": 1}  # views of one cast
PEOPLE = (2, 5)  # of a group
FRAMES = 24  # of a clip


@dataclass(frozen=True)
class Sample:
    """One picture or clip. name: CAST-VIEW; cast: who is built once for several views; people: their traits."""

    name: str
    cast: str
    kind: str
    people: list[dict[str, Any]]
    view: dict[str, Any]

    @property
    def path(self) -> str:
        """Of the picture or of the folder of frames, within the renders."""
        return f"clips/{self.name}" if self.kind == "clip" else f"stills/{self.name}.png"

    @property
    def record(self) -> str:
        """Of the parameters, within the renders."""
        return f"{'clips' if self.kind == 'clip' else 'stills'}/{self.name}.json"


def samples(seed: int, count: int, kinds: Sequence[str], size: tuple[int, int]) -> Iterator[Sample]:
    """The first so many; kinds: out of KINDS, one named twice comes twice as often. size: width, height.

    Each depends on seed, kinds, size and its own number alone, not on the count. Raises InputError.
    """
    if unknown := sorted(set(kinds) - set(KINDS)) or not kinds:
        got = ", ".join(unknown) if isinstance(unknown, list) else "none"
        raise InputError(f"expected kinds out of {', '.join(KINDS)}, got {got}; name those to render")
    cast, done = 0, 0
    while done < count:
        rng = Random(f"koutu render {seed} {cast}")
        kind = rng.choice(list(kinds))
        crowd = rng.randint(*PEOPLE) if kind == "group" else 1
        people = [draw_person(rng, STRANDS if crowd == 1 else STRANDS_IN_GROUPS) for _ in range(crowd)]
        for number in range(KINDS[kind]):
            if done == count:
                return
            own = Random(f"koutu render {seed} {cast} {number}")
            yield Sample(f"{cast:06d}-{number}", f"{cast:06d}", kind, people, draw_view(own, kind, crowd, size))
            done += 1
        cast += 1
