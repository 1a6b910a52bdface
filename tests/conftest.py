"""Shared fixtures: a tiny random network as an ONNX file, so that engines run without the packaged weights."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporal MODNet of a few thousand random weights, exported."""
    torch = pytest.importorskip("torch")
    from koutu.export.onnx import export_onnx
    from koutu.models.modnet import Config, MODNet

    torch.manual_seed(0)
    cfg = Config(
        temporal=True, encoder="resnet", resnet_channels=(8, 8, 16, 16, 24), resnet_depths=(1, 1, 1, 1),
        lr_channels=(16, 8), hr_channels=4, norm="batch", subpixel=True,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    export_onnx(MODNet(cfg), path, name="tiny", pixels=96 * 160)
    return path
