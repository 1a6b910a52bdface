"""A Caffe network as it grows: blobs with their shapes, layers with their weights."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from koutu.export.caffe.schema import FORKED, messages

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, int, int]  # (C, H, W)
Depthwise: TypeAlias = Literal["Convolution", "DepthwiseConvolution", "ConvolutionDepthwise"]
Gate: TypeAlias = Literal["Scale", "Interp"]


@dataclass(frozen=True)
class Dialect:
    """Where Caffe's forks differ.

    depthwise: the type of a layer that filters each channel by itself. gate: how a number for each channel meets whole
    channels, "Scale" of two inputs or "Interp" of one position followed by "Eltwise".
    """

    depthwise: Depthwise = "Convolution"
    gate: Gate = "Scale"


@dataclass(frozen=True)
class Blob:
    """What flows between layers: (1, C, H, W) under a name."""

    name: str
    shape: Shape


@dataclass
class Net:
    """The layers so far. `place`: what the layers to come are named after."""

    dialect: Dialect = field(default_factory=Dialect)
    reserved: set[str] = field(default_factory=set)  # names that the network's inputs and outputs have
    place: str = "layer"

    def __post_init__(self) -> None:
        self.message: Any = messages().NetParameter(name="koutu")
        self.shapes: dict[str, Shape] = {}  # of blobs by name
        self.positive: set[str] = set()  # blobs that are known to be greater than 0
        self._used = set(self.reserved)

    def input(self, name: str, shape: Shape) -> Blob:
        """An input of the network, which keeps its name."""
        self.message.layer.add(name=name, type="Input", top=[name], input_param={"shape": [{"dim": [1, *shape]}]})
        self.shapes[name] = shape
        return Blob(name, shape)

    def add(
        self, kind: str, bottoms: Sequence[Blob], shape: Shape, *, weights: Sequence[Array] = (), **params: Any
    ) -> Blob:
        """One more layer with one result of `shape`; params: its parameter message by name, as a dictionary."""
        return self.split(kind, bottoms, [shape], weights=weights, **params)[0]

    def split(
        self,
        kind: str,
        bottoms: Sequence[Blob],
        shapes: Sequence[Shape],
        *,
        weights: Sequence[Array] = (),
        **params: Any,
    ) -> list[Blob]:
        """One more layer with a result for each of `shapes`."""
        name = self._free(self.place)
        tops = [name] if len(shapes) == 1 else [self._free(f"{name}/{i}") for i in range(len(shapes))]
        layer = self.message.layer.add(name=name, type=kind, bottom=[b.name for b in bottoms], top=tops, **params)
        for weight in weights:
            data = np.ascontiguousarray(weight, np.float32)
            layer.blobs.add(shape={"dim": data.shape}, data=data.ravel())
        self.shapes |= dict(zip(tops, shapes, strict=True))
        return [Blob(top, shape) for top, shape in zip(tops, shapes, strict=True)]

    def output(self, blob: Blob, name: str, *, copied: bool) -> None:
        """Give a blob, and its layer, the name that the network's output has.

        For Caffe, outputs are what no layer reads: what one does, an input, or what has two names, must be `copied`.
        """
        alone = {layer.top[0]: layer for layer in self.message.layer if layer.type != "Input" and len(layer.top) == 1}
        if copied or blob.name not in alone or blob.name not in self.unread():
            blob = self.add("Reshape", [blob], blob.shape, reshape_param={"shape": {"dim": [1, *blob.shape]}})
            alone[blob.name] = self.message.layer[-1]
        layer = alone[blob.name]
        layer.name, layer.top[0] = name, name
        self.shapes[name] = self.shapes.pop(blob.name)

    def unread(self) -> set[str]:
        """Names of blobs that no layer reads."""
        return set(self.shapes) - {name for layer in self.message.layer for name in layer.bottom}

    def texts(self) -> tuple[str, bytes]:
        """The network as text without weights, and with them in binary."""
        from google.protobuf import text_format

        plain, binary = type(self.message)(), type(self.message)()
        plain.CopyFrom(self.message)
        binary.CopyFrom(self.message)
        for layer in plain.layer:
            del layer.blobs[:]
        for layer in binary.layer:
            for forked in FORKED:
                layer.ClearField(forked)
        return text_format.MessageToString(plain), binary.SerializeToString()

    def _free(self, name: str) -> str:
        found, count = name, 1
        while found in self._used:
            count += 1
            found = f"{name}#{count}"
        self._used.add(found)
        return found
