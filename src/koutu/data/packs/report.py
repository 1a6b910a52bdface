"""What was packed, what was not, and why."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from koutu.data.sets.example import Broken


@dataclass(frozen=True)
class LeftOut:
    """Names in a set that were not packed, for one reason; or only how many."""

    name: str  # of the set
    why: str
    names: Sequence[str] = ()
    count: int = 0  # if there are no names


@dataclass
class PackReport:
    """What was packed, by set, with the layout and split it was read by; what could not be; whose alpha showed nobody.

    others: files in a set of backgrounds that are neither images nor videos.
    """

    splits: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    groups: dict[str, int] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    nobody: list[str] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    excluded: dict[str, Sequence[str]] = field(default_factory=dict)

    def left_out(self) -> list[LeftOut]:
        """What is not in the pack, set by set, and why."""
        found = []
        for name in self.splits:
            lead = f"{name}/"
            reasons = {"excluded by name": list(self.excluded.get(name, ()))}
            for item in self.broken:
                if item.name.startswith(lead):
                    reasons.setdefault(item.reason, []).append(item.name.removeprefix(lead))
            reasons["nobody in them"] = [item.removeprefix(lead) for item in self.nobody if item.startswith(lead)]
            found += [LeftOut(name, why, names) for why, names in reasons.items() if names]
            if others := self.others.get(name):
                found.append(LeftOut(name, "neither images nor videos", count=others))
        return found
