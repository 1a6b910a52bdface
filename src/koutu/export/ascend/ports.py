"""Inputs and outputs of an ONNX file, as a chip gets them: the picture, the memory, alpha."""

import re
from dataclasses import dataclass
from pathlib import Path

from koutu.export.onnx_graph import Shape, load
from koutu.types import InputError


@dataclass(frozen=True)
class Ports:
    """inputs, outputs: shapes by name, in order, the picture first. states: inputs that an output of before fills."""

    inputs: dict[str, Shape]
    outputs: dict[str, Shape]
    states: dict[str, str]
    pha: str

    @property
    def src(self) -> str:
        """The picture's name."""
        return next(iter(self.inputs))

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self.inputs[self.src][2], self.inputs[self.src][3]


def ports(path: Path, size: tuple[int, int] | None = None) -> Ports:
    """What goes in and out of a file of fixed size; raises InputError for anything that AIPP cannot feed.

    size: (H, W) that it must have, if given.
    """
    graph = load(path)
    inputs, outputs = graph.inputs, graph.outputs
    first, shape = next(iter(inputs.items()))
    if len(shape) != 4 or shape[:2] != (1, 3) or first in graph.not_float:
        raise InputError(
            f"expected a picture (1, 3, H, W) of float32 as the first input, got {first} {shape}; AIPP is the "
            "pre-processing: export without it, by koutu.export.fixed"
        )
    if any(min(shape, default=0) < 1 for shape in inputs.values()):
        raise InputError(f"expected one fixed size, got {inputs}; export it with koutu.export.fixed")
    if graph.not_float:
        raise InputError(f"expected float32 inputs, got others among {', '.join(inputs)}; export it in float32")
    if size and shape[2:] != tuple(size):
        raise InputError(f"expected a file for {size[1]}×{size[0]}, got one for {shape[3]}×{shape[2]}; export it anew")
    alphas = [name for name, out in outputs.items() if out == (1, 1, *shape[2:])]
    if not alphas:
        raise InputError(f"expected an alpha (1, 1, {shape[2]}, {shape[3]}) among the outputs, got {outputs}")
    pha = "pha" if "pha" in alphas else alphas[0]
    return Ports(inputs, outputs, _states(list(inputs)[1:], outputs, pha), pha)


def _states(names: list[str], outputs: dict[str, Shape], pha: str) -> dict[str, str]:
    """Which output fills which input."""
    states = {}
    for name in names:
        numbered = re.fullmatch(r"(r\d+)i", name)
        fed = f"{numbered[1]}o" if numbered else pha if name == "prev" else ""
        if fed not in outputs:
            raise InputError(
                f"expected memory named prev (filled by {pha}) or r1i, r2i … (by r1o, r2o …), got {name}; rename it"
            )
        states[name] = fed
    return states
