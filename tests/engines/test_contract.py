"""One contract over everything that runs a network, wrapped or not: its members, its frames, its memory."""

import shutil
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxslim")
from support.exporting import SIZE, checkpoint, run, small_network  # noqa: E402

from koutu.bench.rounds import _Timed  # noqa: E402
from koutu.engines.ascend.backend import AscendBackend  # noqa: E402
from koutu.engines.backend import Backend, NetworkShape  # noqa: E402
from koutu.engines.described.backend import DescribedBackend  # noqa: E402
from koutu.engines.described.description import parse_description  # noqa: E402
from koutu.engines.described.per_size import PerSizeBackend  # noqa: E402
from koutu.engines.early_exit import Gate, GatedBackend, parts_of  # noqa: E402
from koutu.engines.exported.backend import ExportedBackend  # noqa: E402
from koutu.engines.onnxruntime import OnnxBackend  # noqa: E402
from koutu.engines.openvino import OpenVinoBackend  # noqa: E402
from koutu.engines.solver import SolverBackend  # noqa: E402
from koutu.engines.stabilise import SteadyBackend  # noqa: E402
from koutu.engines.wrapped import WrappedBackend, unwrapped  # noqa: E402
from koutu.evaluation.remembered import Watched  # noqa: E402
from koutu.export.early_exit.sweep import Remembering  # noqa: E402
from koutu.live.resizable_backend import SizedBackend  # noqa: E402
from koutu.server.networks import _OneAtATime  # noqa: E402
from koutu.types import ModelError  # noqa: E402
from koutu.zoo import load  # noqa: E402

MEMBERS = {
    "name": str, "needs": tuple, "propagates": bool, "warms_up": bool, "refines": bool, "states": Mapping,
    "stride": int, "gated": bool, "can_resize": bool, "can_recall": bool, "makes_trimaps": bool,
}  # fmt: skip
METHODS = ("network_size", "initial_state", "__call__", "resized", "recalled", "low", "trimap")
GATE = Gate((1.0, 0.0, 0.0, 0.0), 0.0, 1e6)  # takes every scene for simple
PICTURE = (90, 160)


class Files:
    """What the backends run, each made when it is first asked for."""

    def __init__(self, folder: Path, tiny_onnx: Path):
        self.folder, self.tiny = folder, tiny_onnx

    @cached_property
    def parts(self) -> tuple[Path, Path]:
        from koutu.export.early_exit.parts import export_parts

        path = self.folder / "gated.onnx"
        shutil.copy(self.tiny, path)
        export_parts(small_network(), path, name="tiny", pixels=SIZE[0] * SIZE[1])
        return parts_of(path)

    @cached_property
    def card(self) -> Path:
        return run(self.folder, "onnx", "exported", checkpoint(self.folder)).card

    @cached_property
    def package(self) -> Path:
        from koutu.export.ascend.package import write_package
        from koutu.export.fixed import fixed_onnx

        path = self.folder / "chip.onnx"
        fixed_onnx(small_network(), path, SIZE)
        write_package(path, self.folder / "chip", size=SIZE, tell=lambda _: None, about={"licence": "Apache-2.0"})
        return self.folder / "chip" / "card.json"

    def described(self, sides: tuple[int, int] = (8, 12)) -> DescribedBackend:
        """A file whose output is its input."""
        helper, tensor = onnx.helper, ("x", "y")
        ports = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, 3, *sides)) for name in tensor]
        graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "tiny", ports[:1], ports[1:])
        path = self.folder / f"described-{sides[0]}x{sides[1]}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        about = {
            "title": "tiny", "source": "https://example.org", "licence": "MIT", "files": [path.name], "format": "onnx",
            "size": {"rule": "fixed"}, "inputs": {"x": {"kind": "src"}}, "outputs": {"pha": {"name": "y"}},
        }  # fmt: skip
        return DescribedBackend(parse_description(about, "tiny.yaml"), path)

    def per_size(self) -> PerSizeBackend:
        """The same, of which the picture's own size alone is there."""
        description = self.described(PICTURE).description
        return PerSizeBackend(description, str(self.folder / "described-{h}x{w}.onnx"))


def gated(files: Files) -> GatedBackend:
    return GatedBackend(*map(OnnxBackend, files.parts), gate=GATE)


def remembering(files: Files) -> GatedBackend:
    low, rest = (Remembering(OnnxBackend(part)) for part in files.parts)
    return GatedBackend(low, rest, gate=GATE)


def of_torch(name: str, **options: Any) -> Backend:
    return load(name, weights="random", options=options)


BACKENDS: dict[str, Callable[[Files], Backend]] = {
    "onnxruntime": lambda files: OnnxBackend(files.tiny),
    "openvino": lambda files: OpenVinoBackend(files.tiny),
    "gated": gated,
    "gated, remembering": remembering,
    "steady": lambda files: SteadyBackend(OnnxBackend(files.tiny)),
    "steady, gated": lambda files: SteadyBackend(gated(files)),
    "torch": lambda files: of_torch("stm", width=4),
    "torch, trimaps": lambda files: of_torch("shm", variant="light"),
    "solver": lambda files: SolverBackend("closed-form"),
    "described": Files.described,
    "described, per size": Files.per_size,
    "exported": lambda files: ExportedBackend(files.card),
    "ascend": lambda files: AscendBackend(files.package),
    "sized": lambda files: SizedBackend(OnnxBackend(files.tiny), 0.5),
    "sized, steady, gated": lambda files: SizedBackend(SteadyBackend(gated(files)), 0.5),
    "watched": lambda files: Watched(OnnxBackend(files.tiny)),
    "one at a time": lambda files: _OneAtATime(OnnxBackend(files.tiny)),
    "timed": lambda files: _Timed(of_torch("stm", width=4)),
}
every_backend = pytest.mark.parametrize("kind", BACKENDS)


@pytest.fixture(scope="module")
def files(tiny_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("contract"), tiny_onnx)


@pytest.fixture
def backend(kind: str, files: Files) -> Backend:
    if kind == "openvino":
        pytest.importorskip("openvino")
    return BACKENDS[kind](files)


def shown(backend: Backend, size: tuple[int, int]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A picture of noise and the hints that the backend needs with it."""
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    hint = np.zeros(size, np.uint8)
    hint[size[0] // 4 :, size[1] // 4 : -size[1] // 4] = 255
    hint[size[0] // 4 : size[0] // 2] = 128
    return rgb, dict.fromkeys(backend.needs, hint)


def require_frame(fgr: np.ndarray | None, pha: np.ndarray, size: tuple[int, int]) -> None:
    assert pha.shape == size and pha.dtype == np.float32 and 0 <= pha.min() <= pha.max() <= 1
    assert fgr is None or (fgr.shape == (*size, 3) and fgr.dtype == np.uint8)


@every_backend
def test_every_member_is_there(backend):
    assert isinstance(backend, Backend)
    for member, kind in MEMBERS.items():
        assert isinstance(getattr(backend, member), kind), member
    assert all(isinstance(text, str) for text in (*backend.needs, *backend.states, *backend.states.values()))
    assert not (backend.propagates and backend.warms_up)  # a second look would begin with its hints again


@every_backend
def test_frames_and_memory(backend):
    size = backend.network_size(PICTURE)
    (rgb, hints), state = shown(backend, size), backend.initial_state(size)
    pha = np.zeros(size, np.float32)
    for t in range(3):
        fgr, pha, state = backend(rgb, state, **({} if backend.propagates and t else hints))
        require_frame(fgr, pha, size)
        assert backend.low(state) in ((True, False) if backend.gated else (False,))
    if backend.can_recall:
        fgr, again, _ = backend(rgb, backend.recalled(rgb, pha), **hints)
        require_frame(fgr, again, size)
    else:
        with pytest.raises(ModelError, match="of frames and alphas"):
            backend.recalled(rgb, pha)
    if not backend.can_resize:
        with pytest.raises(ModelError, match="can be resized"):
            backend.resized(state, size)
        return
    other = size[0] + backend.stride, size[1] + 2 * backend.stride
    assert other != size
    fgr, pha, _ = backend(shown(backend, other)[0], backend.resized(state, other), **shown(backend, other)[1])
    require_frame(fgr, pha, other)


@every_backend
def test_trimaps(backend):
    rgb, _ = shown(backend, PICTURE)
    if backend.makes_trimaps:
        trimap = backend.trimap(rgb)
        assert trimap.shape == PICTURE and trimap.dtype == np.uint8 and set(np.unique(trimap)) <= {0, 128, 255}
    else:
        with pytest.raises(ModelError, match="makes trimaps"):
            backend.trimap(rgb)


def test_the_cheap_part_tells_of_its_frames_through_every_wrapper(files):
    backend = SizedBackend(SteadyBackend(gated(files)))
    size = backend.network_size(PICTURE)
    (rgb, _), state, lows = shown(backend, size), backend.initial_state(size), []
    for _ in range(20):
        _, _, state = backend(rgb, state)
        lows.append(backend.low(state))
    assert backend.gated and not lows[0] and lows[-1]


class Unlike(Backend):
    """Nothing about it is as the defaults say."""

    name, needs, propagates, warms_up, refines = "unlike", ("mask",), True, False, False
    states, stride, gated, can_resize, can_recall, makes_trimaps = {"a": "b"}, 3, True, True, True, True

    def network_size(self, size):
        return 5, 7

    def initial_state(self, size):
        return ["begun", size]

    def __call__(self, rgb, state, **hints):
        return None, np.ones(rgb.shape[:2], np.float32), [*state, *hints]

    def resized(self, state, size):
        return ["resized", size]

    def recalled(self, rgb, pha):
        return ["recalled", rgb.shape]

    def low(self, state):
        return True

    def trimap(self, rgb):
        return rgb[..., 0]


def test_a_wrapper_forwards_every_member():
    assert set(Backend.__annotations__) == set(MEMBERS)
    assert {name for name, member in vars(Backend).items() if callable(member)} >= set(METHODS)
    inner, rgb = Unlike(), np.zeros((5, 7, 3), np.uint8)
    for wrapper in (WrappedBackend(inner), SizedBackend(inner), Watched(inner), _OneAtATime(inner), _Timed(inner)):
        for member in MEMBERS:
            assert getattr(wrapper, member) == getattr(inner, member) != getattr(Backend, member, None), member
        assert wrapper.network_size(PICTURE) == (5, 7) and wrapper.initial_state((5, 7)) == ["begun", (5, 7)]
        assert wrapper(rgb, ["s"], mask=rgb)[2] == ["s", "mask"] and wrapper.resized([], (1, 2)) == ["resized", (1, 2)]
        assert wrapper.recalled(rgb, np.ones((5, 7), np.float32)) == ["recalled", (5, 7, 3)]
        assert wrapper.low([]) and wrapper.trimap(rgb).shape == (5, 7)
        assert unwrapped(wrapper) is inner
    assert all(method in vars(WrappedBackend) for method in METHODS)


def test_files_of_koutus_own_are_behind_their_wrappers(files):
    shape = unwrapped(SizedBackend(SteadyBackend(OnnxBackend(files.tiny))))
    assert isinstance(shape, NetworkShape) and shape.title == "tiny"
