"""What all tests share: one thread a process, seeds, and a tiny random network as an ONNX file."""

import os
import sys
from pathlib import Path

# For tensors this small, threads cost more than they give; their number would change how sums are rounded; and tests
# that run side by side would fight over the cores. It has to be said before NumPy and PyTorch are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")  # it would give its number to PyTorch

import pytest

# Where several processes share the files, one that begins a long file last keeps the others waiting: these come first.
LONG = (
    "models/test_networks", "server/test_page", "export/test_export", "train/test_objectives", "train/test_adapt",
    "train/test_engine", "test_documented", "train/test_footage",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {Path(__file__).parent / f"{name}.py": at for at, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random weights and pictures in every run and order."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


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
