"""One contract over every network of the table: sizes, ranges, gradients, memory, strict loading, export."""

import dataclasses
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from koutu.models import MODELS, build, load_checkpoint, network, variants  # noqa: E402
from koutu.models.base import Network  # noqa: E402
from koutu.types import ModelError  # noqa: E402

SMALL_NET = {"depths": (1, 1, 1, 1)}
TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "tmodnet": ("tmodnet", {"detail_channels": [4, 8], "context": 16, "semantic_size": 64}),
    "tmodnet single": ("tmodnet", {"variant": "single", "detail_channels": [4, 8], "context": 16, "semantic_size": 64}),
    "tmodnet twin": ("tmodnet", {"variant": "twin", "detail_channels": [4, 8], "context": 16, "semantic_size": 64}),
    "tmodnet semantic": ("tmodnet", {"variant": "semantic", "context": 16, "semantic_size": 64}),
    "modnet": ("modnet", {"width": 0.35, "last_channels": 64, "lr_channels": (16, 8), "hr_channels": 4}),
    "modnet temporal": (
        "modnet",
        {"variant": "temporal", "encoder": "resnet", "resnet_channels": (8, 8, 16, 16, 24), "norm": "batch"},
    ),
    "rvm": ("rvm", {}),
    "rvm reduced": ("rvm", {"downsample_ratio": 0.5}),
    "rvm fast": ("rvm", {"variant": "mobilenetv3_fgf", "downsample_ratio": 0.5}),
    "bgmv2 sampling": ("bgmv2", {"variant": "mobilenetv2", "backbone_scale": 0.5, "refine_sample_pixels": 320}),
    "bgmv2 thresholding": (
        "bgmv2",
        {"variant": "mobilenetv2", "backbone_scale": 0.5, "refine_mode": "thresholding", "refine_threshold": 0.0},
    ),
    "bgmv2 full": ("bgmv2", {"variant": "mobilenetv2_k1", "backbone_scale": 0.5, "refine_mode": "full"}),
    "bgmv2 base": ("bgmv2", {"variant": "mobilenetv2_base"}),
    "bgmv1": ("bgmv1", {"channels": 4, "shared_blocks": 1, "head_blocks": 1}),
    "dim": ("dim", {"width": 0.05, "neck_kernel": 3, "neck_channels": 512}),
    "dim skips": ("dim", {"variant": "huochaitiantang", "width": 0.05}),
    "mgmatting": ("mgmatting", {"width": 8}),
    "sim": ("sim", {"width": 8, **SMALL_NET}),
    "shm": ("shm", {"width": 0.05, **SMALL_NET}),
    "shm light": ("shm", {"variant": "light_corrected"}),
    "igf": ("igf", {"channels": (4, 8, 8, 16)}),
    "u2net": ("u2net", {"encoder": ((4, 8),) * 6, "decoder": ((4, 8),) * 5}),
    "stm": ("stm", {"width": 4, "slots": 4, "every": 2}),
    "stm trimap": ("stm", {"variant": "trimap", "width": 4, "slots": 4, "every": 2}),
    "dvm": ("dvm", {"width": 8, **SMALL_NET}),
}
TINY |= {name: (name, {}) for name in MODELS if name not in {kind for kind, _ in TINY.values()}}  # small as it is
CHANNELS = {"bgr": 3, "seg": 1, "trimap": 1, "mask": 1}
every_network = pytest.mark.parametrize("name", TINY)
with_memory = pytest.mark.parametrize(
    "name", ["tmodnet", "tmodnet semantic", "modnet temporal", "rvm", "rvm reduced", "stm", "stm trimap", "dvm"]
)


def tiny(name: str) -> Any:
    torch.manual_seed(0)
    kind, options = TINY[name]
    return build(kind, **options)


def scene(model: Any, frames: int = 1, size: tuple[int, int] = (64, 96)) -> tuple[Tensor, dict[str, Tensor]]:
    """A clip of noise and the hints the network needs: those of networks that carry them on in its first frame."""
    torch.manual_seed(1)
    hints = {need: torch.rand(frames, CHANNELS[need], *size) for need in model.needs}
    if "trimap" in hints:
        hints["trimap"] = (3 * hints["trimap"]).floor().clamp(max=2) / 2
    if model.propagates:
        for hint in hints.values():
            hint[1:] = -1
    return torch.rand(frames, 3, *size), hints


def test_the_table_says_what_the_networks_are():
    assert {kind for kind, _ in TINY.values()} == set(MODELS)
    for name, card in MODELS.items():
        with torch.device("meta"):
            model = build(name)
        assert sum(p.numel() for p in model.parameters()) == card.params, name
        assert model.needs == card.needs, name
        assert network(name)[0].__doc__ and variants(name)
        assert isinstance(model, Network) and model.makes_trimaps == (name == "shm")
        assert all(callable(getattr(model, method)) for method in model.forwards)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"bgmv2"}))  # its patches cannot be counted without pixels
def test_the_table_says_what_the_networks_cost(name):
    from torch.utils.flop_counter import FlopCounterMode

    card = MODELS[name]
    device = "cpu" if name == "sim" else "meta"  # distances to a region need its pixels
    with torch.device(device), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model = build(name).eval()
        src = torch.rand(1, 3, *card.at)
        hints = {need: torch.rand(1, CHANNELS[need], *card.at) for need in card.needs}
        model(src, *model.initial_state(src), **hints)
    assert counter.get_total_flops() / 2e9 == pytest.approx(card.gmacs, abs=0.01)


@every_network
@pytest.mark.parametrize("size", [(64, 96), (37, 71), (96, 65)])
def test_sizes_and_ranges(name, size):
    model = tiny(name).eval()
    stride = model.stride
    src, hints = scene(model, 1, size)
    if size[0] % stride or size[1] % stride:
        with pytest.raises(ValueError, match=f"multiples of {stride}"):
            model(src, *model.initial_state(src), **hints)
        return
    with torch.no_grad():
        fgr, pha, *state = model(src, *model.initial_state(src), **hints)
    assert pha.shape == (1, 1, *size) and fgr.shape == src.shape and pha.isfinite().all()
    assert pha.min() >= 0 and pha.max() <= 1 and fgr.min() >= 0 and fgr.max() <= 1
    assert [s.shape for s in state] == [s.shape for s in model.initial_state(src)]
    assert not model.remembers_alpha or (len(state) <= 1 and all(torch.equal(memory, pha) for memory in state))


@every_network
def test_the_wanted_size_is_a_size_that_runs(name):
    model = tiny(name)
    for size in ((720, 1280), (1920, 1080), (37, 71)):
        height, width = model.network_size(size)
        assert height % model.stride == 0 and width % model.stride == 0 and min(height, width) > 0


def tensors_of(out: Any) -> list[Tensor]:
    values = [out] if isinstance(out, Tensor) else [getattr(out, field.name) for field in dataclasses.fields(out)]
    flat = [x for value in values for x in (value if isinstance(value, list | tuple) else [value])]
    return [x for x in flat if isinstance(x, Tensor) and x.is_floating_point() and x.requires_grad]


@every_network
def test_every_trainable_parameter_learns(name):
    model = tiny(name).train()
    src, hints = scene(model, 2)
    if model.propagates:
        objects = model.cfg.objects
        state = model.training_outputs(
            src[:1], *model.initial_state(src[:1]), annotation=torch.rand(1, objects, 64, 96)
        ).state
        out = model.training_outputs(src[1:], *state)
    elif name == "dvm":
        out = model.training_outputs(src, *model.initial_state(src[:1]), **hints)
    else:
        out = model.training_outputs(src, *model.initial_state(src), **hints)
    torch.stack([(x * torch.rand_like(x)).sum() for x in tensors_of(out)]).sum().backward()
    lost = [
        n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.isfinite().all())
    ]
    if name == "rvm":  # at full size the refiner has nothing to do; "rvm reduced" trains it
        lost = [n for n in lost if not n.startswith("refiner.")]
    assert not lost


@with_memory
@torch.no_grad()
def test_a_clip_is_its_frames_and_memory_is_bounded(name):
    model = tiny(name).eval()
    clip, hints = scene(model, 12)
    start = model.initial_state(clip[:1])
    whole = model(clip, *start, **hints)
    state, phas = start, []
    for t in range(12):
        _, pha, *state = model(clip[t : t + 1], *state, **{k: v[t : t + 1] for k, v in hints.items()})
        phas.append(pha)
        assert [s.shape for s in state] == [s.shape for s in start]
    torch.testing.assert_close(whole[1], torch.cat(phas), rtol=1e-4, atol=1e-5)
    for a, b in zip(whole[2:], state, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@with_memory
@torch.no_grad()
def test_memory_matters_and_is_forgotten_on_reset(name):
    model = tiny(name).eval()
    clip, hints = scene(model, 3)
    first = {k: v[:1] for k, v in hints.items()}
    fresh = model(clip[:1], *model.initial_state(clip[:1]), **first)
    later = model(clip, *model.initial_state(clip[:1]), **hints)[2:]
    again = model(clip[:1], *model.initial_state(clip[:1]), **first)
    assert all(torch.equal(a, b) for a, b in zip(fresh, again, strict=True))
    absent = {k: (v if not model.propagates else v * 0 - 1) for k, v in first.items()}
    with_past = model(clip[:1], *later, **absent)
    without = model(clip[:1], *model.initial_state(clip[:1]), **absent)
    assert any(not torch.equal(a, b) for a, b in zip(with_past[1:-1], without[1:-1], strict=True)) or not torch.equal(
        with_past[1], without[1]
    )


@every_network
def test_weights_load_strictly(name, tmp_path):
    model = tiny(name)
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    file = {"config": dataclasses.asdict(model.cfg), "state_dict": state}
    torch.save(file, tmp_path / "whole.pth")
    loaded = load_checkpoint(tmp_path / "whole.pth", TINY[name][0])
    read = loaded.state_dict()
    assert loaded.cfg == model.cfg and all(torch.equal(read[k[7:]], v) for k, v in state.items())
    gone = next(key for key in reversed(state) if key.endswith("weight"))
    del state[gone]
    torch.save(file, tmp_path / "broken.pth")
    with pytest.raises(ModelError, match=gone.removeprefix("module.").replace(".", r"\.")):
        load_checkpoint(tmp_path / "broken.pth", TINY[name][0])


@every_network
@pytest.mark.parametrize("dynamic", [False, True], ids=["fixed", "dynamic"])
@pytest.mark.filterwarnings("ignore")
@torch.no_grad()
def test_an_export_follows_torch_over_a_roll_out(name, dynamic, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = tiny(name).eval()
    # as small as may be; where cells of pixels are chosen, one that is chosen otherwise must be a small share
    traced, larger = ((128, 160), (160, 96)) if name.startswith("bgmv2") else ((64, 96), (128, 64))
    shown = larger if dynamic else traced
    src, hints = scene(model, 1, traced)
    state = model.initial_state(src)
    names = [f"state{i}" for i in range(len(state))]

    class Flat(torch.nn.Module):
        """Hints by position: what exporters take."""

        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, src, *rest):
            given = dict(zip(hints, rest[len(state) :], strict=True))
            fgr, pha, *new = self.model(src, *rest[: len(state)], **given)
            return fgr * 1, pha, *[s * 1 for s in new]

    inputs = (src, *state, *hints.values())
    axes = None
    if dynamic:
        axes = {key: {2: "h", 3: "w"} for key in ("src", *hints)}
        axes |= {n: {s.ndim - 2: f"h{n}", s.ndim - 1: f"w{n}"} for n, s in zip(names, state, strict=True) if s.ndim > 2}
    torch.onnx.export(
        Flat().eval(), inputs, str(tmp_path / "net.onnx"), input_names=["src", *names, *hints],
        output_names=["fgr", "pha", *[f"new_{n}" for n in names]], dynamic_axes=axes, opset_version=17, dynamo=False,
    )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), options, providers=["CPUExecutionProvider"])
    taken = {i.name for i in session.get_inputs()}
    clip, hints = scene(model, 8, shown)
    state = model.initial_state(clip[:1])
    theirs = [s.numpy() for s in state]
    for t in range(8):
        given = {k: v[t : t + 1] for k, v in hints.items()}
        _, pha, *state = model(clip[t : t + 1], *state, **given)
        feed = {"src": clip[t : t + 1].numpy(), **dict(zip(names, theirs, strict=True))}
        feed |= {k: v.numpy() for k, v in given.items()}
        _, out, *theirs = session.run(None, {k: v for k, v in feed.items() if k in taken})
        worst = (torch.from_numpy(out) - pha).abs()
        assert worst.mean() < 1e-4 and (worst > 1e-3).float().mean() < 1e-3
