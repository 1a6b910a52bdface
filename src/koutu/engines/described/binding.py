"""A description held against the file it is for: every tensor found, every shape fitting, or an error says why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from koutu.engines.described.description import GREY, ConstantInput, Description, Name, PictureInput, StateInput
from koutu.engines.graph import Port, RunnableGraph
from koutu.types import ModelError


@dataclass(frozen=True)
class Binding:
    """Which tensors of a file are what. Keys of `states` and `constants` are the file's names."""

    pictures: tuple[tuple[PictureInput, Port], ...]
    states: dict[str, tuple[StateInput, Port, str]]  # with the name of the output it is fed from
    constants: dict[str, tuple[ConstantInput, Port]]
    outputs: dict[str, Port]  # of "pha" and "fgr"
    static: tuple[int, int] | None  # (h, w) where the file fixes it

    @property
    def source(self) -> PictureInput:
        """The input that takes the frame."""
        return next(entry for entry, _ in self.pictures if entry.kind == "src")


def bind(description: Description, graph: RunnableGraph, file: str) -> Binding:
    """The tensors that the description means; ModelError, beginning with `file`, if the file lacks or has others."""
    ports = {name: _port(name, graph.inputs, "inputs", file) for name in description.inputs}
    fed = [port.name for port in ports.values()]
    if sorted(fed) != sorted(graph.inputs):
        raise ModelError(
            f"{file}: expected each of the inputs {', '.join(graph.inputs)} described once, got {', '.join(fed)}; "
            "is it the file that the description is for?"
        )
    pictures, states, constants = [], {}, {}
    for name, entry in description.inputs.items():
        port = ports[name]
        if isinstance(entry, PictureInput):
            pictures.append((entry, _fitting(port, entry, file)))
        elif isinstance(entry, StateInput):
            output = _port(entry.output, graph.outputs, "outputs", file).name
            states[port.name] = _with_shape(entry, port, file), port, output
        else:
            constants[port.name] = entry, port
    outputs = {key: _port(out.name, graph.outputs, "outputs", file) for key, out in description.outputs.items()}
    return Binding(tuple(pictures), states, constants, outputs, _static_size(description, pictures, file))


def constant_values(binding: Binding, given: Mapping[str, float], name: str) -> dict[str, float | None]:
    """The constants of the description, some replaced by those `given`; None is to be worked out by the size."""
    unknown = [key for key in given if key not in binding.constants]
    if unknown:
        known = ", ".join(binding.constants) or "none"
        raise ModelError(f"{name}: expected options out of its constants ({known}), got {', '.join(unknown)}")
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ModelError(f"{name}: expected a number for {key}, got {value!r}")
    return {key: entry.value for key, (entry, _) in binding.constants.items()} | dict(given)


def _port(name: Name, ports: dict[str, Port], what: str, file: str) -> Port:
    listed = list(ports)
    if isinstance(name, int) and name < len(listed):
        name = listed[name]
    if name not in ports:
        raise ModelError(
            f"{file}: expected {name} among the {what}, which are {', '.join(listed)}; "
            "is it the file that the description is for?"
        )
    return ports[str(name)]


def _fitting(port: Port, entry: PictureInput, file: str) -> Port:
    if len(port.shape) != 4 or port.shape[0] not in (None, 1):
        raise ModelError(f"{file}: expected {port.name} as one frame of four axes, got {port.shape}")
    channels, axis = 1 if entry.kind in GREY else 3, 1 if entry.layout == "NCHW" else 3
    if port.shape[axis] not in (None, channels):
        raise ModelError(
            f"{file}: expected {channels} channels on axis {axis} of {port.name} ({entry.layout}), got {port.shape}"
        )
    if entry.dtype is not None and np.dtype(entry.dtype) != port.dtype:
        raise ModelError(f"{file}: expected {port.name} of {entry.dtype}, got {port.dtype}")
    return port


def _with_shape(entry: StateInput, port: Port, file: str) -> StateInput:
    shape: tuple[Any, ...] = entry.shape or port.shape
    fits = len(shape) == len(port.shape) and all(
        want is None or isinstance(side, str) or side == want for side, want in zip(shape, port.shape, strict=True)
    )
    if None in shape or not fits:
        raise ModelError(
            f"{file}: expected a shape of the state {port.name} that fits the file's {port.shape}, got "
            f"{entry.shape or 'none'}; give it in the description"
        )
    return StateInput(entry.kind, entry.output, shape)


def _static_size(
    description: Description, pictures: list[tuple[PictureInput, Port]], file: str
) -> tuple[int, int] | None:
    entry, port = next((entry, port) for entry, port in pictures if entry.kind == "src")
    height, width = port.shape[2:] if entry.layout == "NCHW" else port.shape[1:3]
    size, static = description.size, (height, width) if height and width else None
    if static and size.at and size.at != static:
        raise ModelError(f"{file}: expected a network for {size.at} (h, w), got one for {static}; give the right file")
    if static is None and size.rule == "fixed" and not size.at:
        raise ModelError(
            f"{file}: expected a file of fixed size, got {port.shape}; describe the size with at or a rule"
        )
    return static
