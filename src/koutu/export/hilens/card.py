"""What a skill has to know of its model: sizes, the order of inputs and outputs, and what is fed back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from koutu.types import ModelError


@dataclass(frozen=True)
class SkillCard:
    """card.json. The defaults are a network of koutu that feeds its alpha back, with NV21 as its AIPP's input.

    name: of NAME.om. size: (H, W) of the network, even. source: what its AIPP takes, src: H·W·3/2 bytes of NV21 or
    H·W·3 of RGB. inputs, outputs: names in the model's order. states: each input that is filled by an output of the
    frame before, zeros in the first; shapes: theirs, (1, 1, H, W) if not given. alpha: the output (1, 1, H, W).
    """

    name: str
    size: tuple[int, int]
    source: Literal["nv21", "rgb"] = "nv21"
    inputs: tuple[str, ...] = ("src", "prev")
    outputs: tuple[str, ...] = ("pha",)
    states: Mapping[str, str] = field(default_factory=lambda: {"prev": "pha"})
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    alpha: str = "pha"

    def __post_init__(self) -> None:
        """Raise ModelError for what no skill could run."""
        height, width = self.size
        if height % 2 or width % 2 or min(self.size) < 16:
            raise ModelError(f"expected a network of even sides from 16, got {height}×{width}; export another size")
        if self.source not in ("nv21", "rgb"):
            raise ModelError(f'expected the source "nv21" or "rgb", got {self.source!r}; name what the AIPP takes')
        if sorted(self.inputs) != sorted(["src", *self.states]):
            raise ModelError(f"expected the inputs src and {', '.join(self.states)}, got {', '.join(self.inputs)}")
        missing = {self.alpha, *self.states.values()} - set(self.outputs)
        if missing:
            raise ModelError(f"expected the outputs {', '.join(sorted(missing))}, got only {', '.join(self.outputs)}")

    def values(self) -> dict[str, Any]:
        """As the skill reads it."""
        height, width = self.size
        shapes = {name: list(self.shapes.get(name, (1, 1, height, width))) for name in self.states}
        return {
            "name": self.name, "model": f"{self.name}.om", "width": width, "height": height, "source": self.source,
            "inputs": list(self.inputs), "outputs": list(self.outputs), "states": dict(self.states), "shapes": shapes,
            "alpha": self.alpha,
        }  # fmt: skip
