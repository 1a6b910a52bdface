"""The networks a server runs, loaded once and shared: each viewer and each image has a memory of its own."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend, NetworkShape, State
from koutu.engines.opinion import Opinion
from koutu.engines.stabilise import held_steady
from koutu.engines.wrapped import WrappedBackend, unwrapped
from koutu.files import sha256_of
from koutu.matting.matter import Matter
from koutu.server.settings import ServerSettings
from koutu.types import ModelError, Rgb
from koutu.zoo import CHOICE, MODELS, load, load_opinion, packaged


@dataclass(frozen=True)
class Served:
    """A network that clients may name. path: its ONNX file, which browsers get."""

    name: str
    path: Path
    sha256: str
    summary: str
    licence: str


class Networks:
    """Backends by name; those for stills look at every image whole, those for streams may use the gate."""

    def __init__(self, settings: ServerSettings):
        self._settings = settings
        self.served = {network.name: network for network in _served(settings.model)}
        self.default = next(iter(self.served))
        self._loaded: dict[tuple[str, bool], Backend] = {}
        self._lock = threading.Lock()

    def spec(self, name: str) -> str:
        """What `koutu.load` takes for it."""
        network = self.served[name or self.default]
        return network.name if network.name in MODELS else str(network.path.resolve())

    def still(self, name: str = "") -> Backend:
        """The network for single images; "" is the default one."""
        return self._backend(name or self.default, stream=False)

    def opinion(self) -> Opinion:
        """The second opinion for single images."""
        return load_opinion(self._settings.device, self._settings.threads)

    def warm_up(self) -> None:
        """Load the default network, so that nobody waits for it."""
        self.still()
        self.opinion()
        self.matter()(np.zeros((90, 160, 3), np.uint8))

    def matter(self, name: str = "") -> Matter:
        """A memory of its own for one stream. Several may be used from several threads."""
        backend = self._backend(name or self.default, stream=True)
        # Optical flow keeps buffers: a stream must not share them.
        return Matter(held_steady(backend))

    def describe(self, name: str) -> dict[str, Any]:
        """What a browser must know to run the network itself."""
        network, shape = self.served[name], unwrapped(self.still(name))
        assert isinstance(shape, NetworkShape)
        return {
            "name": name, "url": f"/models/{name}.onnx", "bytes": network.path.stat().st_size,
            "pixels": shape.pixels, "stride": shape.stride, "states": shape.states,
            "summary": network.summary, "licence": network.licence,
        }  # fmt: skip

    def _backend(self, name: str, *, stream: bool) -> Backend:
        with self._lock:
            if (name, stream) not in self._loaded:
                network, given = self.served[name], self._settings
                backend = load(
                    name if name in MODELS else network.path, engine=given.engine, device=given.device,
                    threads=given.threads, gate=None if stream else False, steady=False,
                )  # fmt: skip
                alone = given.engine not in (None, "onnxruntime")
                self._loaded[name, stream] = _OneAtATime(backend) if alone else backend
            return self._loaded[name, stream]


class _OneAtATime(WrappedBackend):
    """A backend whose engine must not be called from two threads at one time."""

    def __init__(self, backend: Backend):
        super().__init__(backend)
        self._turn = threading.Lock()

    def __call__(self, rgb: Rgb, state: State, **hints: NDArray[Any]) -> Any:
        with self._turn:
            return self.inner(rgb, state, **hints)


def _served(chosen: str) -> list[Served]:
    """The chosen network first, then the packaged ones."""
    found = []
    if chosen.endswith(".onnx"):
        path = Path(chosen)
        if not path.is_file():
            raise ModelError(f"expected a model file at {path}, found none; `koutu models` lists the packaged ones")
        sha256 = sha256_of(path)
        found.append(Served(path.stem, path, sha256, "given with --model", "as its maker says"))
    elif chosen not in MODELS:
        raise ModelError(f"expected a model out of {', '.join(MODELS)} or an .onnx file, got {chosen!r}; name one")
    for name in dict.fromkeys([chosen, *CHOICE]):
        if name in MODELS:
            card = MODELS[name]
            found.append(Served(name, packaged(name), card.sha256, card.summary, card.licence))
    return found
