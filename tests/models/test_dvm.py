"""Deep Video Matting: published names and counts, deformable convolution against a slow plain one, memory."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.hashed import signature  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from koutu.models.dvm import DVM, Config  # noqa: E402
from koutu.nn.deform import ModulatedDeformConv, deform_conv  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "dvm.json").read_text())
TINY = Config(width=8, depths=(1, 1, 1, 1))


def test_state_dict_is_the_published_one():
    with torch.device("meta"):
        assert signature(DVM()) == GOLDEN


def pixel(plane: Tensor, y: float, x: float) -> float:
    """Bilinear, zeros outside."""
    value = 0.0
    for row in (int(y // 1), int(y // 1) + 1):
        for column in (int(x // 1), int(x // 1) + 1):
            if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
                value += (1 - abs(y - row)) * (1 - abs(x - column)) * plane[row, column].item()
    return value


def test_deformable_convolution_is_the_slow_plain_one():
    torch.manual_seed(0)
    x, weight, bias = torch.rand(1, 4, 5, 6).double(), torch.rand(3, 4, 3, 3).double(), torch.rand(3).double()
    offset, mask = 3 * torch.randn(1, 2 * 2 * 9, 5, 6).double(), torch.rand(1, 2 * 9, 5, 6).double()
    out = deform_conv(x, offset, mask, weight, bias)
    for o, i, j in ((0, 0, 0), (1, 4, 5), (2, 2, 3)):
        expected = bias[o].item()
        for c in range(4):
            group = c // 2
            for k in range(9):
                at = group * 18 + 2 * k
                y = i + k // 3 - 1 + offset[0, at, i, j].item()
                z = j + k % 3 - 1 + offset[0, at + 1, i, j].item()
                strength = mask[0, group * 9 + k, i, j].item() * weight[o, c, k // 3, k % 3].item()
                expected += strength * pixel(x[0, c], y, z)
        assert out[0, o, i, j].item() == pytest.approx(expected, rel=1e-9)


def test_without_offsets_it_is_a_convolution():
    layer, x = ModulatedDeformConv(8), torch.rand(2, 8, 7, 9)
    expected = F.conv2d(x, 0.5 * layer.weight, layer.bias, padding=1)  # an untrained weight of a tap is ½
    torch.testing.assert_close(layer(x, torch.rand(2, 8, 7, 9)), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_clip_is_its_frames_and_the_published_window_its_last_frames():
    model = DVM(TINY).eval()
    clip, trimap = torch.rand(5, 3, 40, 50), (3 * torch.rand(5, 1, 40, 50)).floor() / 2
    state = model.initial_state(clip[:1])
    whole = model(clip, *state, trimap)
    phas = []
    for t in range(5):
        _, pha, *state = model(clip[t : t + 1], *state, trimap[t : t + 1])
        phas.append(pha)
    torch.testing.assert_close(whole[1], torch.cat(phas))
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], state, strict=True))
    window = model.window(clip[1:], trimap[1:])
    raw = model.training_outputs(clip, *model.initial_state(clip[:1]), trimap=trimap)
    assert raw.refined is not None
    torch.testing.assert_close(window.refined, raw.refined[3:])
    known = trimap != 0.5
    assert torch.equal(whole[1][known], trimap[known])


@torch.no_grad()
def test_two_clips_at_once_are_two_clips():
    model = DVM(TINY).eval()
    clips, trimaps = torch.rand(2, 3, 3, 32, 32), torch.full((2, 3, 1, 32, 32), 0.5)
    together = model(
        clips.transpose(0, 1).flatten(0, 1), *model.initial_state(clips[:, 0]), trimaps.transpose(0, 1).flatten(0, 1)
    )[1]
    for i in range(2):
        alone = model(clips[i], *model.initial_state(clips[i, :1]), trimaps[i])[1]
        torch.testing.assert_close(together[i::2], alone)


def test_every_parameter_learns():
    model = DVM(TINY)
    for module in model.modules():
        if isinstance(module, ModulatedDeformConv):
            torch.nn.init.normal_(module.conv_offset_mask.weight, std=0.1)
    clip, trimap = torch.rand(2, 3, 64, 64), torch.full((2, 1, 64, 64), 0.5)
    out = model.training_outputs(clip, *model.initial_state(clip[:1]), trimap=trimap)
    assert out.refined is not None
    (out.pha.sum() + out.refined.sum()).backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()]
