"""Temporal MODNet: it begins as the network it took its semantic branch from, and has a branch that stands alone."""

import dataclasses
import warnings

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from torch.nn import functional as F  # noqa: E402

from koutu.losses.portrait import boundary_weight, pixel_entropy  # noqa: E402
from koutu.models import build, load_own  # noqa: E402
from koutu.models.mediapipe import from_onnx  # noqa: E402
from koutu.models.tmodnet import Config, TMODNet  # noqa: E402
from koutu.nn.mobilenetv1 import CHANNELS, MobileNetV1  # noqa: E402
from koutu.nn.mobilenetv3_unet import SELFIE, Block, MobileNetV3UNet  # noqa: E402
from koutu.train.batch import Batch  # noqa: E402
from koutu.train.objectives import build_objective  # noqa: E402
from koutu.types import ModelError  # noqa: E402

SIZE = (64, 96)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A network of the published layout with weights of its own, and its ONNX file."""
    torch.manual_seed(0)
    network = MobileNetV3UNet().eval()
    path = tmp_path_factory.mktemp("published") / "selfie.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.rand(1, 3, 32, 48),), str(path), opset_version=17, dynamo=False)
    return network, path


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    """An encoder of whole bodies with weights of its own, and the ONNX file that it has with BodyPix's mask."""
    torch.manual_seed(2)
    network = MobileNetV1().eval()
    path = tmp_path_factory.mktemp("bodies") / "bodypix.onnx"
    whole = torch.nn.Sequential(Deepest(network), torch.nn.Conv2d(CHANNELS[-1], 1, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(whole, (torch.rand(1, 3, 32, 48),), str(path), opset_version=17, dynamo=False)
    return network, path


class Deepest(torch.nn.Module):
    """An encoder's deepest features alone."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, x):
        return self.encoder(x)[-1]


@pytest.fixture
def joint(published, bodies):
    torch.manual_seed(1)
    network = TMODNet(Config(semantic_size=64, decoder=(16, 12, 8, 8), separable=True)).eval()
    for _, path in (bodies, published):
        network.begin_from(path)
    return network


@pytest.fixture
def begun(published):
    torch.manual_seed(1)
    network = TMODNet(Config(semantic_size=64)).eval()
    network.begin_from(published[1])
    return network


def test_the_file_gives_every_weight_back(published):
    network, path = published
    state = from_onnx(path)
    assert state.keys() == network.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


def _published_alpha(network, src, size=64):
    """What the published network says of pictures, in the tests' semantic size, at the pictures' size; logits."""
    logits, _ = network(F.interpolate(src, size=(size, size), mode="bilinear"))
    return F.interpolate(logits, size=src.shape[-2:], mode="bilinear")


@torch.no_grad()
def test_it_begins_as_the_published_network_whatever_it_remembers(published, begun):
    src = torch.rand(2, 3, *SIZE)
    expected = (1.04 * torch.sigmoid(_published_alpha(published[0], src)) - 0.02).clamp(0, 1)
    for prev in (torch.zeros(2, 1, *SIZE), torch.rand(2, 1, *SIZE)):
        assert torch.allclose(begun(src, prev)[1], expected, atol=1e-5)
        assert torch.allclose(begun.low(begun.begin(src, prev)[0], src), expected, atol=1e-5)


@torch.no_grad()
def test_with_two_encoders_it_begins_as_the_published_network_too(published, bodies, joint):
    src, prev = torch.rand(2, 3, *SIZE), torch.rand(2, 1, *SIZE)
    expected = (1.04 * torch.sigmoid(_published_alpha(published[0], src)) - 0.02).clamp(0, 1)
    assert torch.allclose(joint(src, prev)[1], expected, atol=2e-3)  # large logits are bounded
    small = F.interpolate(src, size=(64, 64), mode="bilinear")
    features = joint.semantic_branch.bodies(torch.cat([small, torch.rand(2, 1, 64, 64)], dim=1))
    for got, expected, step, channels in zip(features, bodies[0](small), (2, 4, 8, 16), CHANNELS, strict=True):
        assert got.shape == (2, channels, 64 // step, 64 // step)
        assert torch.allclose(got, expected, atol=1e-5)


def test_what_the_u_net_is_surest_of_can_be_corrected(joint):
    joint.semantic_branch.faces.head.bias.data.fill_(500.0)
    src, prev = torch.rand(1, 3, *SIZE), torch.rand(1, 1, *SIZE)
    assert joint(src, prev)[1].min() == 1
    joint.semantic_branch.correction.bias.data.fill_(-60.0)
    assert joint(src, prev)[1].max() < 0.1
    joint.semantic_branch.correction.bias.data.fill_(0.0)
    true = torch.zeros(1, 1, 64, 64)
    pixel_entropy(joint.begin(src, prev)[0], true, boundary_weight(true)).backward()
    assert joint.semantic_branch.correction.bias.grad.sum() > 0.9


@torch.no_grad()
def test_encoders_say_the_same_while_they_learn(joint):
    x = torch.rand(1, 4, 64, 64)
    for encoder in (joint.semantic_branch.faces.depths, joint.semantic_branch.bodies):
        resting, learning = joint.eval() and encoder(x), joint.train() and encoder(x)
        for a, b in zip(resting, learning, strict=True):
            assert torch.allclose(a, b, atol=1e-5)


def test_both_encoders_and_what_joins_them_learn_alone(joint):
    torch.nn.init.normal_(joint.semantic_branch.correction.weight, std=0.1)
    sample = torch.rand(1, 3, *SIZE), torch.rand(1, 1, *SIZE)
    batch = Batch(sample[0], (torch.rand(1, 1, *SIZE) > 0.5).float(), sample[0], sample[0], sample[1], {})
    objective = build_objective("semantic", joint, {"own_history": 1.0})
    parts = objective(joint, batch, 1.0)
    assert set(parts) == {"pixels", "alpha", "laplacian"} and all(part.item() > 0 for part in parts.values())
    torch.stack(list(parts.values())).sum().backward()
    learns = {name.split(".")[1] for name, p in joint.named_parameters() if p.grad is not None and p.grad.any()}
    assert learns >= {"faces", "bodies", "deep", "deepest", "join8x", "join4x", "join2x", "correction"}
    assert not any(p.grad is not None for p in joint.detail_branch.parameters())


@torch.no_grad()
def test_beside_edges_alone_details_count_and_only_so_much():
    torch.manual_seed(1)
    branch = TMODNet(Config(semantic_size=64, edge=2)).eval().fusion_branch
    assert branch.correction.bias is not None
    branch.correction.bias.fill_(100.0)  # everything is somebody, says the detail branch
    low = torch.full((1, 1, 64, 64), -9.0)
    low[..., 32:] = 9.0
    logits = branch(torch.rand(1, 16, 64, 64), low)
    change = logits - torch.nn.functional.interpolate(low, scale_factor=2.0, mode="bilinear")
    assert change[..., :56].abs().max() < 0.01 and change[..., 72:].abs().max() < 0.01
    assert change[..., 62:66].min() > 0.95 and change.max() <= 1.0


def test_norms_that_are_held_stay_so_when_a_batch_is_seen_with_the_networks_own_past(joint):
    joint.train()
    held = [module for module in joint.semantic_branch.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in held:
        norm.eval()
    sample = torch.rand(1, 3, *SIZE), torch.rand(1, 1, *SIZE)
    batch = Batch(sample[0], (torch.rand(1, 1, *SIZE) > 0.5).float(), sample[0], sample[0], sample[1], {})
    objective = build_objective("semantic", joint, {"own_history": 1.0})
    for _ in range(8):  # each with an even chance of its own past
        objective(joint, batch, 1.0)
    assert held and not any(norm.training or norm.num_batches_tracked for norm in held)
    assert joint.training and joint.detail_branch.training


@torch.no_grad()
def test_mirrored_it_says_the_same_of_a_picture_and_its_mirror_image(published):
    torch.manual_seed(1)
    network = TMODNet(Config(mirrored=True, semantic_size=64)).eval()
    network.begin_from(published[1])
    src = torch.rand(1, 3, *SIZE)
    prev = torch.rand(1, 1, *SIZE)
    assert torch.allclose(network(src.flip(-1), prev.flip(-1))[1], network(src, prev)[1].flip(-1), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("decoder", [(), (16, 12, 8, 8)])
@pytest.mark.parametrize("views", ["mirrored", "second", "one"])
@pytest.mark.parametrize("temporal", [True, False])
def test_both_parts_make_the_whole(views, temporal, decoder):
    torch.manual_seed(1)
    shape = Config(
        mirrored=views == "mirrored", second=(8, 8, 8, 8) if views == "second" else (),
        temporal=temporal, semantic_size=64, decoder=decoder, separable=bool(decoder),
    )  # fmt: skip
    network = TMODNet(shape).eval()
    torch.nn.init.normal_(network.fusion_branch.correction.weight, std=0.1)
    src, state = torch.rand(2, 3, *SIZE), [torch.rand(2, 1, *SIZE)] * temporal
    logits, features = network.begin(src, *state)
    pha = network.finish(src, *state, logits=logits, features=features)
    assert torch.allclose(network(src, *state)[1], pha, atol=1e-5)
    assert (network.low(logits, src) - pha).abs().max() > 0.01


@torch.no_grad()
def test_the_semantic_branch_alone_is_the_whole_with_nothing_left_to_do():
    torch.manual_seed(1)
    network = build("tmodnet", variant="semantic", semantic_size=64).eval()
    torch.nn.init.normal_(network.semantic_branch.correction.weight, std=0.1)
    src, prev = torch.rand(2, 3, *SIZE), torch.rand(2, 1, *SIZE)
    logits, features = network.begin(src, prev)
    assert network.begin_is_all and not {"detail_branch", "fusion_branch"} & dict(network.named_children()).keys()
    assert torch.equal(network(src, prev)[1], network.low(logits, src))
    assert torch.equal(network.finish(src, prev, logits=logits, features=features), network.low(logits, src))
    assert not TMODNet(Config(mirrored=True, detail_channels=())).begin_is_all


@torch.no_grad()
def test_a_second_branch_sees_the_mirror_image_and_counts_half():
    torch.manual_seed(1)
    network = TMODNet(Config(second=(8, 8, 8, 8), semantic_size=64)).eval()
    biases = {name: bias for name, bias in network.named_parameters() if name.endswith("head.bias")}
    biases["semantic_branch.head.bias"].fill_(500.0)
    biases["second_branch.faces.head.bias"].fill_(-500.0)
    src, prev = torch.rand(1, 3, *SIZE), torch.rand(1, 1, *SIZE)
    assert torch.allclose(network(src, prev)[1], torch.tensor(0.5), atol=1e-3)  # neither overrules the other
    seen = []
    network.second_branch.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network.semantic_branch.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(src, prev)
    assert torch.equal(seen[0].flip(-1), seen[1])


@torch.no_grad()
def test_a_second_branch_may_see_people_as_wide_as_they_are_and_count_more():
    torch.manual_seed(1)
    seeing = Config(second=(8, 8, 8, 8), semantic_size=32, second_size=64, pixels=64 * 96)
    network = TMODNet(dataclasses.replace(seeing, second_counts=2.0, agreement=0.5)).eval()
    biases = {name: bias for name, bias in network.named_parameters() if name.endswith("head.bias")}
    biases["semantic_branch.head.bias"].fill_(500.0)
    biases["second_branch.faces.head.bias"].fill_(-500.0)
    seen = []
    network.second_branch.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[-2:]))
    network.semantic_branch.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[-2:]))
    src, prev = torch.rand(1, 3, *SIZE), torch.rand(1, 1, *SIZE)
    expected = torch.sigmoid(torch.tensor(0.5 * (6 - 2 * 6) / 3))  # of three voices one is sure of 1, two are of 0
    assert torch.allclose(network(src, prev)[1], expected, atol=2e-2)
    assert seen == [(32, 32), (64, 80)]
    logits, features = network.begin(src, prev)
    assert torch.equal(network.finish(src, prev, logits=logits, features=features), network(src, prev)[1])
    tiny = torch.rand(1, 3, 8, 8), torch.rand(1, 1, 8, 8)
    assert network(*tiny)[1].shape == (1, 1, 8, 8) and seen[-1] == (16, 16)


def test_a_second_branch_sees_no_more_than_there_is():
    network = TMODNet(Config(second=(8, 8, 8, 8), semantic_size=32, second_size=384, pixels=64 * 96)).eval()
    seen = []
    network.second_branch.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[-2:]))
    network(torch.rand(1, 3, *SIZE), torch.rand(1, 1, *SIZE))
    assert seen == [SIZE]


@pytest.mark.parametrize("wrong", [{"second_size": -16}, {"edge": -1}])
def test_sizes_below_nothing_are_refused(wrong):
    with pytest.raises(ModelError, match="expected second_size and edge of 0 or more, got"):
        Config(second=(8, 8, 8, 8), **wrong)


def test_a_second_branch_that_is_sure_and_wrong_can_still_learn():
    network = TMODNet(Config(second=(8, 8, 8, 8), semantic_size=64, detail_channels=()))
    bias = network.second_branch.faces.head.bias
    assert bias is not None
    bias.data.fill_(-30.0)
    src = torch.rand(1, 3, *SIZE)
    (1 - network.training_outputs(src, torch.zeros(1, 1, *SIZE)).pha).mean().backward()
    assert bias.grad is not None and bias.grad.abs().sum() > 0


def test_a_second_branch_begins_from_both_files(published, bodies):
    network = TMODNet(Config(second=(96, 64, 32, 24)))
    for path in (published[1], bodies[1]):
        network.begin_from(path)
    src = torch.rand(1, 3, 64, 96)
    expected = from_onnx(published[1])["stem.weight"]
    for name in ("semantic_branch", "second_branch.faces"):
        assert torch.equal(network.state_dict()[f"{name}.stem.weight"][:, :3], expected)
    small, own = torch.cat([src, src[:, :1]], dim=1), network.second_branch.bodies
    assert torch.allclose(own.eval()(small)[-1], bodies[0](src)[-1], atol=1e-4)


def test_what_is_sure_and_wrong_can_still_learn(begun):
    begun.semantic_branch.head.bias.data.fill_(-5.0)
    src = torch.rand(1, 3, *SIZE)
    pha = begun.training_outputs(src, torch.zeros(1, 1, *SIZE)).pha
    assert not pha.detach().any() and not begun(src, torch.zeros(1, 1, *SIZE))[1].any()
    (1 - pha).mean().backward()
    assert begun.semantic_branch.head.bias.grad.abs().sum() > 0


def test_every_weight_learns_from_the_training_outputs(begun):
    src, prev = torch.rand(2, 3, *SIZE), torch.rand(2, 1, *SIZE)
    for layer in (begun.fusion_branch.correction, *(block.second for block in begun.detail_branch.blocks)):
        torch.nn.init.normal_(layer.weight, std=0.1)
    out = begun.training_outputs(src, prev)
    (out.pha.mean() + out.detail.mean() + out.low.mean() + out.semantic.mean()).backward()
    still = [name for name, p in begun.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    dead = {name for name in still if "gate.squeeze" not in name}  # ReLUs of random gates may all be shut
    assert not dead


@torch.no_grad()
def test_the_coarse_outputs_are_means_of_the_semantic_alpha(begun):
    src = torch.rand(1, 3, *SIZE)
    out = begun.training_outputs(src, *begun.initial_state(src))
    assert out.low.shape == (1, 1, 64, 64) and out.semantic.shape == (1, 1, 4, 6)
    assert torch.allclose(out.semantic.mean(), out.low.mean(), atol=0.02)


def test_the_size_it_is_shown_keeps_the_aspect():
    network = TMODNet(Config(pixels=512 * 288))
    assert network.network_size((1080, 1920)) == (288, 512)
    assert network.network_size((1920, 1080)) == (512, 288)
    assert network.network_size((100, 4000)) == network.network_size((1000, 4000))


def test_other_files_and_other_blocks_are_refused(published, tmp_path):
    torch.manual_seed(0)
    wider = (*SELFIE[:-1], Block(5, 128, 32, 24, True))
    with pytest.raises(ModelError, match="of another shape"):
        TMODNet(Config(blocks=wider)).begin_from(published[1])
    model = onnx.load(published[1])
    del model.graph.node[3:]
    onnx.save(model, tmp_path / "cut.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    for name in ("cut.onnx", "text.onnx", "none.onnx"):
        with pytest.raises(ModelError, match=name):
            TMODNet().begin_from(tmp_path / name)
        with pytest.raises(ModelError, match=name):
            TMODNet(Config(decoder=(16, 12, 8, 8))).begin_from(tmp_path / name)


def test_a_checkpoint_says_which_network_it_is(tmp_path):
    config = {"detail_channels": [4, 8], "context": 8, "blocks": [dataclasses.asdict(block) for block in SELFIE]}
    network = TMODNet(Config(detail_channels=(4, 8), context=8))
    torch.save({"network": "tmodnet", "config": config, "state_dict": network.state_dict()}, tmp_path / "weights.pt")
    loaded = load_own(tmp_path / "weights.pt", "modnet")
    assert isinstance(loaded, TMODNet) and loaded.cfg.context == 8
