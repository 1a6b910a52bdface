"""Faults that a simulated Kit has on purpose: what goes wrong, when, and how."""

import re
from dataclasses import dataclass

from koutu.types import InputError

KINDS = {
    "lose": "the camera is lost at this frame; =K: and cannot be opened K times",
    "none": "the frame is None",
    "hang": "reading this frame takes =SECONDS, 3600 if not given, and hears no signal",
    "size": "the frame is =WxH",
    "open": "this opening of a camera fails",
    "load": "this loading of a model fails",
    "infer": "this inference returns error =CODE, 17 if not given",
    "nan": "this inference gives no numbers",
    "show": "the display refuses this frame with =CODE, 1 if not given",
    "stop": "SIGTERM comes with this frame",
}
_FAULT = re.compile(r"(\w+)@(\d+)(?:\.\.(\d+))?(?:=(\w+))?$")


@dataclass(frozen=True)
class Fault:
    """kind: of `KINDS`; first to last: which frame, inference, opening … it strikes, counted from 1."""

    kind: str
    first: int
    last: int
    value: str = ""


@dataclass(frozen=True)
class FaultPlan:
    """All faults of a run; `parse` reads them from text."""

    faults: tuple[Fault, ...] = ()

    def at(self, kind: str, number: int, otherwise: str = "1") -> str | None:
        """The value of the fault of that kind that strikes now, None if none does."""
        for fault in self.faults:
            if fault.kind == kind and fault.first <= number <= fault.last:
                return fault.value or otherwise
        return None


def parse(text: str) -> FaultPlan:
    """`lose@40=2,infer@10..12=17,size@20=322x180` as a plan; raises InputError."""
    faults = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _FAULT.match(part)
        if not match or match[1] not in KINDS:
            raise InputError(
                f"expected a fault KIND@N[..M][=VALUE] with a kind of {', '.join(KINDS)}, got {part!r}; "
                "for example infer@10..12=17"
            )
        first = int(match[2])
        fault = Fault(match[1], first, int(match[3] or first), match[4] or "")
        _check(fault, part)
        faults.append(fault)
    return FaultPlan(tuple(faults))


def _check(fault: Fault, part: str) -> None:
    if fault.first < 1 or fault.last < fault.first:
        raise InputError(f"expected numbers that count from 1 and grow, got {part!r}; for example none@5..7")
    if fault.kind == "size":
        if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", fault.value):
            raise InputError(f"expected a size as in size@20=322x180, got {part!r}; give width and height")
    elif fault.value and not fault.value.isdigit():
        raise InputError(f"expected a whole number after =, got {part!r}; for example infer@10=17")
