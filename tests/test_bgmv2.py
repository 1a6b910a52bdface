"""Background Matting V2 against reference outputs of the published code, and against the networks' contract."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from hashed import assert_equals, fill, signature, uniform  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from koutu.models.bgmv2 import BackgroundMattingV2, Config  # noqa: E402
from koutu.nn import patches  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent / "golden" / "bgmv2.json").read_text())


def build(**options) -> BackgroundMattingV2:
    model = BackgroundMattingV2(Config(**options)).double().eval()
    fill(model)
    return model


@pytest.mark.parametrize("backbone", ["mobilenetv2", "resnet50", "resnet101"])
def test_state_dict_is_the_published_one(backbone):
    with torch.device("meta"):
        assert signature(BackgroundMattingV2(Config(backbone=backbone))) == GOLDEN["state_dicts"][f"bgmv2_refine_{backbone}"]


@torch.no_grad()
@pytest.mark.parametrize("backbone", ["mobilenetv2", "resnet50"])
def test_the_base_network_matches_the_published_code(backbone):
    out = build(backbone=backbone, refine=False).training_outputs(
        uniform("in:src", 1, 3, 128, 160), uniform("in:bgr", 1, 3, 128, 160)
    )
    expected = GOLDEN["fixtures"][f"bgmv2_base_{backbone}"]
    for name in ("pha", "fgr", "err", "hid"):
        assert_equals(getattr(out, name), expected[name])


@torch.no_grad()
@pytest.mark.parametrize(
    "name, options",
    [
        ("full_k3", {"refine_mode": "full"}),
        ("full_k1", {"refine_mode": "full", "refine_kernel_size": 1}),
        ("sampling_k3", {"refine_mode": "sampling", "refine_sample_pixels": 3200}),
        ("thresholding_k3", {"refine_mode": "thresholding", "refine_threshold": 0.05}),
    ],
)
def test_refinement_matches_the_published_code(name, options):
    out = build(backbone="mobilenetv2", **options).training_outputs(
        uniform("in:src", 1, 3, 256, 320), uniform("in:bgr", 1, 3, 256, 320)
    )
    expected = GOLDEN["fixtures"][f"bgmv2_refine_mbv2_{name}"]
    pairs = {"pha": out.fine_pha, "fgr": out.fine_fgr, "pha_sm": out.pha, "fgr_sm": out.fgr, "err_sm": out.err}
    for key, pred in (pairs | {"ref_sm": out.refined}).items():
        assert_equals(pred, expected[key])
