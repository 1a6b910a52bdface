"""A described network that comes as a file for every size of picture, each run by the file made for its own size.

A file of fixed size stretches or pads every other picture, which is no fault of the network that is in it.
"""

import glob
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend, State
from koutu.engines.described.backend import DescribedBackend
from koutu.engines.described.description import Description
from koutu.types import ModelError, Rgb

KEPT = 4  # networks that are open at once
_SIDES = ("{h}", "{w}")

Size = tuple[int, int]


class PerSizeBackend(Backend):
    """The files `template`, NAME with {h} and {w} in it for the sides in pixels, as one network; options as there.

    Raises ModelError if there is no such file at all, and later for a frame of a size that has none.
    """

    refines = warms_up = False

    def __init__(
        self,
        description: Description,
        template: str,
        *,
        device: str = "cpu",
        threads: int = 0,
        constants: Mapping[str, float] | None = None,
    ):
        if not files_of(template):
            raise ModelError(f"expected files like {at_size(template, (720, 1280))}, found none; check the path")
        self.needs = description.hints
        self.name = f"{description.title} · {Path(template).name}, the picture's own size · {device}"

        @lru_cache(KEPT)
        def opened(size: Size) -> DescribedBackend:
            path = Path(at_size(template, size))
            if not path.is_file():
                raise ModelError(f"expected {path} for frames of {size} (h, w), found no such file; make it")
            found = DescribedBackend(description, path, device=device, threads=threads, constants=constants)
            if found.network_size(size) != size:
                raise ModelError(
                    f"{path}: expected a network for frames of {size} (h, w), got one for {found.network_size(size)}; "
                    "give the file of that name the network of that size"
                )
            return found

        self._opened = opened

    def network_size(self, size: Size) -> Size:
        """The frame's own (H, W)."""
        self._opened(size)
        return size

    def initial_state(self, size: Size) -> State:
        """As of the network for (h, w)."""
        return self._opened(size).initial_state(size)

    def __call__(
        self, rgb: Rgb, state: State, **hints: NDArray[Any]
    ) -> tuple[NDArray[Any] | None, NDArray[np.float32], State]:
        return self._opened((rgb.shape[0], rgb.shape[1]))(rgb, state, **hints)


def is_template(path: str) -> bool:
    """Whether a path stands for a file a size."""
    return all(side in path for side in _SIDES)


def at_size(path: str, size: Size) -> str:
    """The path with (H, W) put in; one that is no template stays."""
    return path.replace("{h}", str(size[0])).replace("{w}", str(size[1])) if is_template(path) else path


def files_of(template: str) -> list[Path]:
    """The files of a template that are there, sorted."""
    pattern = glob.escape(template)  # which leaves braces alone
    for side in _SIDES:
        pattern = pattern.replace(side, "[0-9]*")
    return sorted(Path(path) for path in glob.glob(pattern))
