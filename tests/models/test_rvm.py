"""Robust Video Matting against reference outputs of the published code, and against the networks' contract."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.hashed import assert_equals, fill, signature, uniform  # noqa: E402

from koutu.models.rvm import RVM, Config  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "rvm.json").read_text())
MOBILE, RESNET = Config(), Config(backbone="resnet50")
FAST = Config(refiner="fast_guided_filter", downsample_ratio=0.5)


def build(cfg: Config) -> RVM:
    model = RVM(cfg).double().eval()
    fill(model)
    return model


@pytest.mark.parametrize("name, cfg", [("rvm_mobilenetv3", MOBILE), ("rvm_resnet50", RESNET)])
def test_state_dict_is_the_published_one(name, cfg):
    with torch.device("meta"):
        assert signature(RVM(cfg)) == GOLDEN["state_dicts"][name]


@torch.no_grad()
@pytest.mark.parametrize(
    "name, cfg",
    [
        ("rvm_mobilenetv3_dr1", MOBILE),
        ("rvm_mobilenetv3_dr0.5_dgf", Config(downsample_ratio=0.5)),
        ("rvm_mobilenetv3_dr0.5_fgf", FAST),
        ("rvm_resnet50_dr1", RESNET),
    ],
)
def test_a_clip_matches_the_published_code(name, cfg):
    model, clip = build(cfg), uniform("in:src", 3, 3, 120, 168)
    fgr, pha, *state = model(clip, *model.initial_state(clip[:1]))
    expected = GOLDEN["fixtures"][name]
    assert_equals(fgr[None], expected["fgr"])
    assert_equals(pha[None], expected["pha"])
    for i, memory in enumerate(state, start=1):
        if f"r{i}" in expected:
            assert_equals(memory, expected[f"r{i}"])


@torch.no_grad()
def test_segmentation_matches_the_published_code():
    model, clip = build(MOBILE), uniform("in:src", 3, 3, 120, 168)
    seg = model.training_outputs(clip, *model.initial_state(clip[:1])).seg
    assert_equals(seg[None], GOLDEN["fixtures"]["rvm_mobilenetv3_seg"]["seg"])
