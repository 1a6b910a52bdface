"""The gate: where a scene is simple, the low-resolution branch alone makes a frame, and nobody sees where that began.

Every frame of a stream passes the low-resolution branch. Its signs predict by how much its alpha differs from the
whole network's;
where both were run, the difference itself is known, and corrects what is predicted for the rest of the stream.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import exp, log
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend, is_alpha_alone
from koutu.types import ModelError, Rgb

SIGNS = ("doubt", "gathered", "boundary")  # what NAME-low.onnx says of a frame, see koutu.export.early_exit.parts
HANDED = ("logits", "features")  # from NAME-low.onnx to NAME-rest.onnx; features for the detail branch, if there is one
FLOOR = 0.5  # thousandths of alpha added to a gap before its logarithm: differences below are all alike
DOWN = 0.85  # of the threshold: what a gap must stay below before the low-resolution branch is trusted
QUIET = 10  # frames in a row that it must
FADE = 4  # frames from one branch to the other
URGENT = 2.0  # times the threshold: from here the whole network is shown at once
CHECK = 30  # frames after which the whole network is run to see
HARD = 30  # frames in a row that are not simple, after which the network runs in one piece
TRUST = 0.3  # weight of the newest measured gap in what corrects the predicted ones


@dataclass(frozen=True)
class Gate:
    """What predicts the gap, mean |low − whole| in thousandths of alpha: log(gap + FLOOR) is linear in `terms`.

    threshold: the gap in thousandths up to which a frame is left to the low-resolution branch.
    """

    weights: tuple[float, ...]
    bias: float
    threshold: float

    def predicted(self, signs: NDArray[Any]) -> float:
        """log(gap + FLOOR) of a frame with these signs (K,)."""
        return float(terms(signs) @ np.asarray(self.weights)) + self.bias


UNTRIED = Gate((0.0,) * (len(SIGNS) + 1), 0.0, 0.0)  # trusts nothing: both parts run in every frame


@dataclass(frozen=True)
class GateState:
    """A stream's memory. memory: the network's; share: of the whole network in the alpha shown, 0 … 1.

    simple: whether the scene counts as such; quiet: frames in a row that were; since: frames since the whole network
    ran, 0 if it did; offset: what predicted gaps are corrected by, a logarithm; gap: of this frame, thousandths,
    predicted where `since` is not 0; low: the low-resolution branch alone made this frame. hard: frames in a row that
    were not simple; unseen: frames since the parts ran.
    """

    memory: Mapping[str, NDArray[np.float32]]
    share: float = 1.0
    simple: bool = False
    quiet: int = 0
    since: int = 0
    offset: float = 0.0
    gap: float = 0.0
    low: bool = False
    hard: int = 0
    unseen: int = 0


class Part(Protocol):
    """An engine that runs one part of a network, as those for koutu's ONNX files do."""

    name: str
    card: dict[str, Any]
    states: Mapping[str, str]
    stride: int

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]: ...

    def initial_state(self, size: tuple[int, int]) -> Any: ...

    def resized(self, state: Any, size: tuple[int, int]) -> Any: ...

    def run(self, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]: ...


class GatedBackend(Backend):
    """Both parts of one network as one backend, from `begin` and `rest`: engines that run NAME-low and NAME-rest.onnx.

    whole: one that runs NAME.onnx, which is quicker than both parts; where a scene stays hard it makes the frames, and
    the parts look every `CHECK`-th time whether that is still so. Raises ModelError if the files are no such parts, or
    were never calibrated.
    """

    gated = can_resize = True

    def __init__(self, begin: Part, rest: Part, whole: Callable[..., Any] | None = None, *, gate: Gate | None = None):
        self._begin, self._rest, self._whole = begin, rest, whole
        if (begin.card.get("part"), rest.card.get("part")) != ("low", "rest"):
            raise ModelError(
                f"expected the two parts of a network for the gate, got {begin.name} and {rest.name}; "
                "export them with `python -m koutu.export.onnx`"
            )
        self.gate = gate or gate_of(begin.card, begin.name)
        self.states, self.stride = begin.states, begin.stride
        self.warms_up = bool(self.states)
        self.can_recall = is_alpha_alone(self.states)
        self.name = f"{begin.name} · gate"

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) that the network wants for frames of (H, W)."""
        return self._begin.network_size(size)

    def initial_state(self, size: tuple[int, int]) -> GateState:
        """An empty alpha, and the scene is not known to be simple."""
        return GateState(self._begin.initial_state(size))

    def __call__(
        self, rgb: Rgb, state: GateState, **hints: NDArray[Any]
    ) -> tuple[None, NDArray[np.float32], GateState]:
        if self._whole is not None and state.hard >= HARD and state.unseen + 1 < CHECK:
            _, pha, memory = self._whole(rgb, state.memory)
            return None, pha, replace(state, unseen=state.unseen + 1, memory=memory)
        low, signs, finish = self.begin(rgb, state.memory)
        predicted = self.gate.predicted(signs)
        expected, whole = exp(predicted + state.offset) - FLOOR, None
        if runs_whole(self.gate, state, expected):
            whole = finish()
            state = measured(state, predicted, difference(low, whole))
        else:
            state = replace(state, since=state.since + 1, gap=expected)
        state = decided(self.gate, state)
        pha = low if whole is None else mixed(low, whole, state.share)
        memory = {name: pha[None, None] for name in self.states}
        return None, pha, replace(state, low=whole is None, unseen=0, memory=memory)

    def resized(self, state: GateState, size: tuple[int, int]) -> GateState:
        """The memory for network frames of another size (h, w)."""
        return replace(state, memory=self._begin.resized(state.memory, size))

    def recalled(self, rgb: Rgb, pha: NDArray[np.float32]) -> GateState:
        """The memory after a frame whose alpha was `pha` (h, w); whether the scene is simple is asked anew."""
        return GateState({name: pha[None, None] for name in self.states})

    def low(self, state: GateState) -> bool:
        """Whether the low-resolution branch alone made the state's frame."""
        return state.low

    def begin(
        self, rgb: Rgb, memory: Mapping[str, NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], Callable[[], NDArray[np.float32]]]:
        """Alpha (h, w) of the low-resolution branch, its signs (K,), and what makes the whole network's when called."""
        feeds = {"rgb": rgb[None], **memory}
        begun = self._begin.run(feeds)
        feeds |= {name: begun[name] for name in HANDED if name in begun}
        return begun["pha"][0, 0], begun["signs"], lambda: self._rest.run(feeds)["pha"][0, 0]


def terms(signs: NDArray[Any]) -> NDArray[np.float64]:
    """signs (…, K) → what the gap's logarithm is linear in (…, K + 1): the signs, and the first one squared."""
    signs = np.asarray(signs, np.float64)
    return np.concatenate([signs, signs[..., :1] ** 2], axis=-1)


def runs_whole(gate: Gate, state: GateState, expected: float) -> bool:
    """Whether a frame of a predicted gap needs the whole network: to be shown, to be faded, or as a check."""
    return not state.simple or state.share > 0 or expected > gate.threshold or state.since + 1 >= CHECK


def measured(state: GateState, predicted: float, gap: float) -> GateState:
    """The state once the whole network measured the gap of a frame; `predicted`: its logarithm as the signs gave it."""
    miss = log(gap + FLOOR) - predicted - state.offset
    return replace(state, since=0, offset=state.offset + TRUST * miss, gap=gap)


def decided(gate: Gate, state: GateState) -> GateState:
    """The state with simple, quiet, hard and share for a frame of gap `state.gap`."""
    quiet = state.quiet + 1 if state.gap < DOWN * gate.threshold else 0
    simple = state.gap <= gate.threshold if state.simple else quiet >= QUIET
    share = max(0.0, state.share - 1 / FADE) if simple else min(1.0, state.share + 1 / FADE)
    if state.gap > URGENT * gate.threshold:
        share = 1.0
    hard = 0 if quiet or simple or share < 1 else state.hard + 1
    return replace(state, quiet=quiet, simple=simple, share=share, hard=hard)


def mixed(low: NDArray[np.float32], whole: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Both alphas (h, w), that of the whole network counting `share`."""
    if share in (0, 1):
        return whole if share else low
    return np.asarray(cv2.addWeighted(whole, share, low, 1 - share, 0), np.float32)


def difference(low: NDArray[np.float32], whole: NDArray[np.float32]) -> float:
    """The gap of two alphas (h, w): mean |low − whole| in thousandths."""
    return 1000 * float(cv2.norm(low, whole, cv2.NORM_L1)) / low.size


def parts_of(path: Path) -> tuple[Path, Path]:
    """Where the two parts of the network NAME.onnx lie: NAME-low.onnx and NAME-rest.onnx beside it."""
    return path.with_name(f"{path.stem}-low.onnx"), path.with_name(f"{path.stem}-rest.onnx")


def gate_of(card: Mapping[str, Any], name: str) -> Gate:
    """The gate that calibration wrote into a card; `name` is for the ModelError if it did not, or for other signs."""
    found = card.get("gate")
    if found is None:
        raise ModelError(f"expected a calibrated gate in {name}, got none; calibrate it with `koutu gate`")
    if tuple(found["signs"]) != SIGNS:
        known = ", ".join(found["signs"])
        raise ModelError(f"expected a gate of {', '.join(SIGNS)} in {name}, got {known}; export and calibrate it anew")
    return Gate(tuple(found["weights"]), found["bias"], found["threshold"])
