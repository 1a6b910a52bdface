"""Alpha held steady: noise of a network goes, motion is followed, mistakes and strangers are not kept."""

from typing import Any

import cv2
import numpy as np
import pytest

from koutu.engines.backend import Backend
from koutu.engines.early_exit import GateState
from koutu.engines.onnxruntime import OnnxBackend
from koutu.engines.stabilise import Flow, SteadyBackend, grey_of, held_steady, steadied
from koutu.matting.matter import Matter
from koutu.types import ModelError

SIZE = (192, 320)


class Noisy(Backend):
    """A network whose alpha is the brightness of the picture's red, with noise, and that keeps what it is given."""

    name, states = "noisy", {"prev": "pha"}

    def __init__(self, noise: float = 0.0):
        self.noise, self.rng, self.seen = noise, np.random.default_rng(0), []

    def network_size(self, size):
        return SIZE

    def initial_state(self, size) -> Any:
        return {"prev": np.zeros((1, 1, *size), np.float32)}

    def __call__(self, rgb, state, **hints) -> Any:
        self.seen.append(state["prev"][0, 0])
        pha = (rgb[..., 0] > 128).astype(np.float32)
        pha = np.clip(cv2.GaussianBlur(pha, (0, 0), 2) + self.noise * self.rng.normal(size=pha.shape), 0, 1)
        pha = pha.astype(np.float32)
        return None, pha, {"prev": pha[None, None]}


def picture(x: int = 120, *, there: bool = True) -> np.ndarray:
    """A red disc before a rough grey wall."""
    wall = np.random.default_rng(1).integers(0, 60, (48, 80), np.uint8)
    rgb = cv2.cvtColor(cv2.resize(wall, SIZE[::-1], interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
    if there:
        cv2.circle(rgb, (x, 100), 48, (240, 150, 150), -1)
        cv2.putText(rgb, "koutu", (x - 40, 108), 0, 1.0, (200, 60, 60), 5)
    return rgb


def roll(backend, pictures) -> list[np.ndarray]:
    state, found = backend.initial_state(SIZE), []
    for rgb in pictures:
        _, pha, state = backend(rgb, state)
        found.append(pha)
    return found


def grain(rgb: np.ndarray, seed: int) -> np.ndarray:
    return np.clip(rgb + np.random.default_rng(seed).normal(0, 1.5, rgb.shape), 0, 255).astype(np.uint8)


def test_a_still_scene_flickers_less():
    pictures = [grain(picture(), seed) for seed in range(16)]
    plain, held = (np.stack(roll(b, pictures)[4:]) for b in (Noisy(0.05), SteadyBackend(Noisy(0.05))))
    change = [float(np.abs(np.diff(phas, axis=0)).mean()) for phas in (plain, held)]
    true = roll(Noisy(), [picture()])[0]
    off = [float(np.square(phas - true).mean()) for phas in (plain, held)]  # means of what is cut at 0 and 1 stay off
    assert change[1] < 0.35 * change[0] and off[1] < 0.7 * off[0]


def test_motion_is_followed():
    pictures = [picture(80 + 6 * t) for t in range(14)]
    true, held = roll(Noisy(), pictures), roll(SteadyBackend(Noisy()), pictures)
    lag = [np.abs(t - t_before).mean() for t, t_before in zip(true[1:], true, strict=False)]
    assert np.abs(np.stack(held[1:]) - np.stack(true[1:])).mean() < 0.15 * np.mean(lag)


def test_the_network_remembers_its_own_alpha():
    network = Noisy(0.05)
    backend, state = SteadyBackend(network), None
    state = backend.initial_state(SIZE)
    for x in (120, 120, 121):
        _, pha, state = backend(picture(x), state)
    own = state.memory["prev"][0, 0]
    assert state.pha is not None and np.array_equal(state.pha, pha) and not np.array_equal(own, pha)
    assert np.abs(own - pha).max() < 0.25


def test_whoever_appears_is_there_at_once_and_whoever_leaves_is_gone():
    empty, full = picture(there=False), picture()
    found = roll(SteadyBackend(Noisy()), [empty, empty, grain(full, 0), grain(full, 1), grain(empty, 2)])
    true = roll(Noisy(), [full])[0]
    assert np.abs(found[2] - true).mean() < 0.01 and found[4].mean() < 0.01


def test_a_wrong_alpha_is_not_kept():
    backend = SteadyBackend(Noisy())
    state = backend.initial_state(SIZE)
    _, true, state = backend(picture(), state)
    wrong = type(state)(state.memory, np.ones_like(true), state.grey)
    _, pha, _ = backend(grain(picture(), 1), wrong)
    assert np.abs(pha - true).mean() < 0.02


def test_a_second_look_at_the_same_picture_counts_alone():
    rgb = picture()
    backend = SteadyBackend(Noisy())
    state = backend.initial_state(SIZE)
    _, _, state = backend(rgb, state)
    _, pha, _ = backend(rgb, type(state)(state.memory, np.zeros(SIZE, np.float32), state.grey))
    assert np.array_equal(pha, roll(Noisy(), [rgb])[0])


def test_the_mixture():
    pha, trust = np.array([[0.5, 0.0, 0.4, 0.4]], np.float32), np.array([[1, 1, 0, 1]], np.float32)
    carried = np.array([[0.5, 1.0, 0.8, 0.5]], np.float32)
    assert np.allclose(steadied(pha, carried, trust), [[0.5, 0.0, 0.4, 0.4 + 0.85 * 0.6 * 0.1]])


def test_only_networks_that_remember_alpha_alone_are_held(tiny_onnx):
    from koutu.zoo import load

    class Recurrent(Noisy):
        states = {"r1": "r1o", "prev": "pha"}  # noqa: RUF012

    other = Recurrent()
    assert held_steady(other) is other
    found = load(tiny_onnx)
    assert isinstance(found, SteadyBackend) and isinstance(found.inner, OnnxBackend) and "steady" in found.name
    assert isinstance(load(tiny_onnx, steady=False), OnnxBackend)
    with pytest.raises(ModelError, match="--steady"):
        load("closed-form", steady=True)


def test_the_gate_goes_on_counting():
    network = Noisy()

    class Half(Noisy):
        """Behind a gate that leaves all to the low-resolution branch."""

        gated = True

        def initial_state(self, size):
            return GateState(network.initial_state(size))

        def __call__(self, rgb, state, **hints):
            _, pha, memory = network(rgb, state.memory)
            return None, pha, GateState(memory, low=True)

        def low(self, state):
            return state.low

    matter = Matter(SteadyBackend(Half()))
    assert all(matter(grain(picture(), seed)).low for seed in range(3))


@pytest.mark.parametrize(("blur", "most"), [(1.5, 1 / 255), (40, 1e-6)])
def test_steadied_where_alpha_is_unsure_is_steadied_all_over(blur, most):
    size, rng = (120, 160), np.random.default_rng(2)
    ground = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3)).astype(np.uint8), (0, 0), 2)
    frames, alphas = [], []
    for x in (70, 73):
        disc = cv2.circle(np.zeros(size, np.uint8), (x, 60), 30, 255, -1)
        frames.append(grey_of(np.where(disc[..., None] > 0, np.roll(ground, x, axis=1), ground)))
        alphas.append(np.asarray(cv2.GaussianBlur(disc / np.float32(255), (0, 0), blur), np.float32))
    found = Flow().steady(alphas[1], alphas[0], *frames)
    expected = steadied(alphas[1], *Flow().carry(alphas[0], *frames))
    assert np.abs(expected - alphas[1]).max() > 0.01 and np.abs(found - expected).max() <= most
