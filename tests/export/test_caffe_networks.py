"""Whole networks as Caffe files against torch, borders included: over videos, each with its own memory."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("google.protobuf")
torch = pytest.importorskip("torch")
pytest.importorskip("onnxslim")

from support import caffe_reader  # noqa: E402
from support.caffe_check import by_onnx, by_opencv  # noqa: E402
from support.long import LONG  # noqa: E402

from koutu.engines.exported.caffe import FOLDER  # noqa: E402
from koutu.export.caffe import write_caffe  # noqa: E402
from koutu.export.fixed import Layout, fixed_onnx  # noqa: E402
from koutu.models import build, load_checkpoint  # noqa: E402
from koutu.types import InputError, ModelError  # noqa: E402

SOURCE = Path(__file__).parent.parent.parent / "src" / "koutu"
NEAR = 1e-3  # of alpha
BORDER = 8  # pixels

needs_opencv = pytest.mark.skipif(
    not os.environ.get(FOLDER), reason=f"{FOLDER} names no folder with OpenCV 4, which reads Caffe files"
)


def video(size: tuple[int, int], frames: int) -> list[np.ndarray]:
    """The packaged sample's first frames, (1, 3, H, W) in [0, 1]."""
    import av
    import cv2

    with av.open(str(SOURCE / "sample" / "talk.mp4")) as file:
        pictures = [f.to_ndarray(format="rgb24") for f, _ in zip(file.decode(video=0), range(frames), strict=False)]
    small = [cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA) for picture in pictures]
    return [picture.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255) for picture in small]


def by_torch(network: Any, pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Alpha of every picture."""
    network.eval()
    state = network.initial_state(torch.from_numpy(pictures[0]))
    alphas = []
    with torch.no_grad():
        for picture in pictures:
            _, pha, *state = network(torch.from_numpy(picture), *state)
            alphas.append(pha.numpy())
    return alphas


def feeds_of(layout: Layout, pictures: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    feeds = [{"src": picture} for picture in pictures]
    return [feeds[0] | {name: np.zeros(layout.inputs[name], np.float32) for name in layout.states}, *feeds[1:]]


def assert_near(found: list[np.ndarray], true: list[np.ndarray]) -> None:
    assert true[-1].std() > 0.02  # it says something
    for alpha, expected in zip(found, true, strict=True):
        error = np.abs(alpha.reshape(expected.shape) - expected)
        assert error.max() <= NEAR
        border = np.ones(error.shape, bool)
        border[..., BORDER:-BORDER, BORDER:-BORDER] = False
        assert error[border].max() <= NEAR


def written(network: Any, folder: Path, size: tuple[int, int], **dialect: Any) -> Layout:
    layout = fixed_onnx(network, folder / "net.onnx", size)
    assert write_caffe(folder / "net.onnx", folder / "net", **dialect).beyond == ()
    return layout


def packaged(name: str, kind: str) -> Any:
    return load_checkpoint(SOURCE / "weights" / f"{name}.pt", kind)


def test_the_packaged_network_by_caffes_definitions(tmp_path):
    network, size = packaged("koutu-small", "tmodnet"), (96, 136)
    layout = written(network, tmp_path, size, depthwise="DepthwiseConvolution")
    pictures = video(size, 3)
    memory, found = np.zeros(layout.inputs["prev"], np.float32), []
    for picture in pictures:
        memory = caffe_reader.run(tmp_path / "net", {"src": picture, "prev": memory})["pha"]
        found.append(memory)
    assert_near(found, by_torch(network, pictures))


@needs_opencv
@pytest.mark.parametrize(
    "name, kind, size, gate",
    [
        ("koutu", "tmodnet", (144, 256), "Scale"),
        ("koutu-small", "tmodnet", (136, 240), "Interp"),
        pytest.param("modnet-small-research", "modnet", (160, 224), "Interp", marks=LONG),
    ],
)
def test_packaged_networks_keep_their_alpha_in_opencv(tmp_path, name, kind, size, gate):
    if not (SOURCE / "weights" / f"{name}.pt").is_file():
        pytest.skip(f"the weights of {name} are not here")
    network = packaged(name, kind)
    layout = written(network, tmp_path, size, gate=gate)
    assert layout.states == {"prev": "pha"}
    pictures = video(size, 10)
    found = by_opencv(tmp_path / "net", feeds_of(layout, pictures), layout.states)
    assert_near([frame["pha"] for frame in found], by_torch(network, pictures))


@needs_opencv
@pytest.mark.parametrize(
    "name, options, size",
    [
        ("modnet", {"width": 0.5, "last_channels": 320}, (96, 128)),  # both norms
        pytest.param("u2net", {"variant": "u2netp"}, (72, 104), marks=LONG),  # pools that leave a rest
        pytest.param("rvm", {"downsample_ratio": 0.5}, (192, 160), marks=LONG),  # four memories and its own refinement
    ],
)
def test_networks_of_the_field_keep_their_alpha_in_opencv(tmp_path, name, options, size):
    torch.manual_seed(0)
    network = build(name, **options).eval()
    with torch.no_grad():  # as they come, their alpha is much the same everywhere
        if name == "rvm":
            network.project_mat.conv.bias.fill_(0.4)
        if name == "u2net":
            network.outconv.weight.mul_(30)
    layout = written(network, tmp_path, size)
    pictures = video(size, 3)
    found = by_opencv(tmp_path / "net", feeds_of(layout, pictures), layout.states)
    assert_near([frame["pha"] for frame in found], by_torch(network, pictures))


def test_a_fixed_file_is_the_network(tmp_path):
    network = build("modnet", temporal=True, width=0.25, last_channels=64, norm="batch").eval()
    layout = fixed_onnx(network, tmp_path / "net.onnx", (64, 32), src="picture", prev="before", pha="alpha")
    assert not network.training
    assert layout == Layout(
        {"picture": (1, 3, 64, 32), "before": (1, 1, 64, 32)}, {"alpha": (1, 1, 64, 32)}, {"before": "alpha"}
    )
    rng = np.random.default_rng(0)
    feeds = {name: rng.random(shape, np.float32) for name, shape in layout.inputs.items()}
    with torch.no_grad():
        true = network(*(torch.from_numpy(array) for array in feeds.values()))[1]
    (found,) = by_onnx(tmp_path / "net.onnx", [feeds], {})
    assert np.abs(found["alpha"] - true.numpy()).max() < 1e-4
    with pytest.raises(InputError, match="multiples of 32"):
        fixed_onnx(network, tmp_path / "odd.onnx", (64, 40))
    with pytest.raises(ModelError, match="needs mask"):
        fixed_onnx(build("igf"), tmp_path / "igf.onnx", (64, 64))
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
