"""What may vary in a temporal MODNet, and how choices are drawn, changed and crossed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from koutu.models.tmodnet import Config
from koutu.nn.mobilenetv3_unet import STEM, Block


@dataclass(frozen=True)
class Choice:
    """One shape. kernels, widths and kept: of each block of the semantic branch; widths and detail are shares."""

    kernels: tuple[int, ...]  # of depthwise convolutions
    widths: tuple[float, ...]  # of the expanded channels
    kept: tuple[bool, ...]  # blocks that may be left out
    semantic_size: int
    mirrored: bool
    detail: float  # of the detail branch's channels
    detail_blocks: int
    pixels: int  # of the images it is shown

    @classmethod
    def read(cls, given: dict[str, Any]) -> "Choice":
        """Out of `asdict`, or of JSON."""
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
        return cls(**values)

    def summary(self) -> str:
        """In a line, for people."""
        blocks = " ".join(
            f"{kernel}×{width:g}" if kept else "–"
            for kernel, width, kept in zip(self.kernels, self.widths, self.kept, strict=True)
        )
        views = "both mirror images" if self.mirrored else "one view"
        return f"{self.semantic_size}² {views}; {blocks}; detail {self.detail:g}, {self.detail_blocks}; {self.pixels}"


@dataclass(frozen=True)
class Space:
    """All shapes that a supernet of `base` holds. A kernel of 5 may shrink to its middle 3×3."""

    base: Config
    widths: tuple[float, ...] = (0.5, 0.75, 1.0)
    semantic_sizes: tuple[int, ...] = (160, 192, 224, 256)
    details: tuple[float, ...] = (0.5, 0.75, 1.0)
    pixels: tuple[int, ...] = (416 * 232, 512 * 288, 592 * 332)

    def largest(self) -> Choice:
        """The whole supernet."""
        blocks = self.base.blocks
        return Choice(
            tuple(b.kernel for b in blocks), (1.0,) * len(blocks), (True,) * len(blocks), max(self.semantic_sizes),
            True, max(self.details), self.base.detail_blocks, max(self.pixels),
        )  # fmt: skip

    def smallest(self) -> Choice:
        """The least that it holds."""
        n = len(self.base.blocks)
        return Choice(
            (3,) * n, (min(self.widths),) * n, tuple(not self.optional(i) for i in range(n)),
            min(self.semantic_sizes), False, min(self.details), 0, min(self.pixels),
        )  # fmt: skip

    def optional(self, i: int) -> bool:
        """Whether block i may be left out: one that adds to what it gets."""
        blocks = self.base.blocks
        return i > 0 and blocks[i].stride == 1 and blocks[i - 1].channels == blocks[i].channels

    def draw(self, rng: np.random.Generator, share: float = 1.0) -> Choice:
        """Any shape; every gene is drawn with a probability of `share`, and otherwise the largest shape's."""
        blocks = self.base.blocks
        anew = Choice(
            kernels=tuple(int(rng.choice(sorted({3, b.kernel}))) for b in blocks),
            widths=tuple(float(rng.choice(self.widths)) for _ in blocks),
            kept=tuple(not self.optional(i) or bool(rng.random() < 0.5) for i in range(len(blocks))),
            semantic_size=int(rng.choice(self.semantic_sizes)),
            mirrored=bool(rng.random() < 0.5),
            detail=float(rng.choice(self.details)),
            detail_blocks=int(rng.integers(self.base.detail_blocks + 1)),
            pixels=int(rng.choice(self.pixels)),
        )
        return self._crossed((self.largest(), self.largest()), anew, rng, share)

    def neighbours(self) -> list[Choice]:
        """The largest shape with one thing about it made as small as it may be, for each thing."""
        large, small = self.largest(), self.smallest()
        found: list[Choice] = []
        for f in fields(Choice):
            most, least = getattr(large, f.name), getattr(small, f.name)
            if isinstance(most, tuple):
                found += [replace(large, **{f.name: (*most[:i], x, *most[i + 1 :])}) for i, x in enumerate(least)]
            else:
                found.append(replace(large, **{f.name: least}))
        return list(dict.fromkeys(one for one in found if one != large))

    def child(self, parents: Sequence[Choice], rng: np.random.Generator, rate: float = 0.12) -> Choice:
        """Every gene from one of two parents, a few drawn anew."""
        first, second = (parents[i] for i in rng.integers(len(parents), size=2))
        return self._crossed((first, second), self.draw(rng), rng, rate)

    @staticmethod
    def _crossed(parents: tuple[Choice, Choice], anew: Choice, rng: np.random.Generator, rate: float) -> Choice:
        genes = {}
        for f in fields(Choice):
            options = [getattr(c, f.name) for c in (*parents, anew)]
            if isinstance(options[0], tuple):
                genes[f.name] = tuple(_inherited(gene, rng, rate) for gene in zip(*options, strict=True))
            else:
                genes[f.name] = _inherited(options, rng, rate)
        return Choice(**genes)

    def config(self, choice: Choice) -> Config:
        """The network's Config of that shape."""
        return replace(
            self.base, blocks=tuple(self.block(choice, i) for i in self.indices(choice)), mirrored=choice.mirrored,
            semantic_size=choice.semantic_size, detail_blocks=choice.detail_blocks, pixels=choice.pixels,
            detail_channels=tuple(_share(c, choice.detail) for c in self.base.detail_channels),
        )  # fmt: skip

    def indices(self, choice: Choice) -> list[int]:
        """Which blocks of the supernet a shape has."""
        return [i for i, kept in enumerate(choice.kept) if kept]

    def block(self, choice: Choice, i: int) -> Block:
        """Block i of a shape."""
        block = self.base.blocks[i]
        return replace(block, kernel=choice.kernels[i], expanded=_share(block.expanded, choice.widths[i]))

    def inputs(self) -> list[int]:
        """Channels that come into each block of the supernet."""
        return [STEM, *(block.channels for block in self.base.blocks[:-1])]


def _share(channels: int, share: float) -> int:
    return max(4, round(channels * share / 4) * 4)


def _inherited(options: Any, rng: np.random.Generator, rate: float) -> Any:
    first, second, anew = options
    return anew if rng.random() < rate else first if rng.random() < 0.5 else second


def plain(choice: Choice) -> dict[str, Any]:
    """Plain values for JSON."""
    return asdict(choice)
