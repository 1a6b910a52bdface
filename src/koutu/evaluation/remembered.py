"""What a network remembers of a stream, looked at and replaced, whatever its backend keeps it in.

A memory is arrays or tensors, alone or in dictionaries, lists, tuples and dataclasses. What goes by a name under which
the network remembers its alpha, and what holds the very alpha that was shown, pixel for pixel, is a previous alpha; the
two differ where alpha is steadied after the network. Anything else, such as RVM's recurrent features, is not.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend, State
from koutu.engines.wrapped import WrappedBackend, unwrapped
from koutu.types import Rgb

_SAME = 2 / 255  # how far a previous alpha may be from the alpha: some keep it in 8 bits
Change: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
_FORCED: dict[str, Change] = {
    "ones": lambda alpha: np.ones_like(alpha) * _top(alpha),
    "zeros": np.zeros_like,
    "shifted": lambda alpha: _to_the_right(alpha, alpha.shape[-1] // 4),
}


class Watched(WrappedBackend):
    """A backend that also tells the alpha of its last call, `pha` (h, w), and by what names it remembers alphas."""

    def __init__(self, backend: Backend):
        super().__init__(backend)
        self.pha: NDArray[Any] = np.zeros((0, 0), np.float32)
        self.alphas = {name for name, output in unwrapped(backend).states.items() if output == "pha"}

    def __call__(
        self, rgb: Rgb, state: State, **hints: NDArray[Any]
    ) -> tuple[NDArray[Any] | None, NDArray[np.float32], State]:
        fgr, pha, state = self.inner(rgb, state, **hints)
        self.pha = pha
        return fgr, pha, state


def forced(kind: str, state: State, pha: NDArray[Any], alphas: Collection[str] = ()) -> State:
    """The memory with its previous alphas all "ones", all "zeros", or "shifted" a quarter of the width to the right.

    pha (h, w): the alpha that came with `state`, which is left as it is; alphas: names under which alphas of its size
    are remembered. Without a previous alpha "zeros" empties all numbers of the memory, and the other two have no
    meaning: None.
    """
    change = _FORCED[kind]
    found: list[int] = []

    def always(leaf: NDArray[Any]) -> NDArray[Any]:
        if leaf.size != pha.size:
            return leaf
        found.append(1)
        return change(leaf.reshape(pha.shape)).reshape(leaf.shape)

    def on_alpha(leaf: NDArray[Any]) -> NDArray[Any]:
        return always(leaf) if _is_alpha(leaf, pha) else leaf

    changed = _mapped(state, on_alpha, dict.fromkeys(alphas, always))
    if found:
        return changed
    return _mapped(state, np.zeros_like) if kind == "zeros" else None


def _is_alpha(leaf: NDArray[Any], pha: NDArray[Any]) -> bool:
    if leaf.size != pha.size or leaf.shape[-2:] != pha.shape:
        return False
    return float(np.abs(leaf.reshape(pha.shape).astype(np.float32) / _top(leaf) - pha).max()) <= _SAME


def _top(alpha: NDArray[Any]) -> int:
    return 255 if alpha.dtype == np.uint8 else 1


def _to_the_right(alpha: NDArray[Any], columns: int) -> NDArray[Any]:
    moved = np.zeros_like(alpha)
    moved[:, columns:] = alpha[:, : alpha.shape[1] - columns]
    return moved


def _mapped(state: Any, change: Change, named: Mapping[str, Change] = MappingProxyType({})) -> Any:
    """A copy with every array and tensor changed, some by their names in dictionaries; what else is there stays."""
    if isinstance(state, np.ndarray):
        return change(state).astype(state.dtype)
    if hasattr(state, "new_tensor"):  # PyTorch's, which need not be installed
        return state.new_tensor(change(state.detach().cpu().numpy()))
    if isinstance(state, dict):
        return {name: _mapped(value, named.get(name, change), named) for name, value in state.items()}
    if isinstance(state, list | tuple):
        values = [_mapped(value, change, named) for value in state]
        return type(state)(*values) if hasattr(state, "_fields") else type(state)(values)
    if is_dataclass(state) and not isinstance(state, type):
        return replace(state, **{f.name: _mapped(getattr(state, f.name), change, named) for f in fields(state)})
    return state
