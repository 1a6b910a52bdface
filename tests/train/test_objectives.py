"""Every recipe's objectives make their network learn a few real samples by heart; critics and teachers behave."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.long import LONG  # noqa: E402
from support.people import make_packs  # noqa: E402

from koutu.data.packs.pack import Pack  # noqa: E402
from koutu.data.scenes.sample import SceneConfig, Scenes  # noqa: E402
from koutu.models import build  # noqa: E402
from koutu.train.batch import Batch, Samples, collate  # noqa: E402
from koutu.train.objectives import build_objective  # noqa: E402
from koutu.train.recipe import Pass, Stage, read_recipe  # noqa: E402
from koutu.train.validate import roll_out  # noqa: E402
from koutu.types import InputError  # noqa: E402

RECIPES = Path(__file__).parent.parent.parent / "recipes"
SMALL = {"depths": (1, 1, 1, 1)}
NARROW: dict[str, Any] = {
    "encoder": "resnet", "resnet_channels": (8, 16, 16, 24, 32), "resnet_depths": (1, 1, 1, 1),
    "lr_channels": (16, 16), "hr_channels": 8, "norm": "batch", "subpixel": True,
}  # fmt: skip
# recipe → a network of its kind that learns in seconds, learning rate (of all stages, or of each), steps of each stage,
# MAD × 1000 to reach
TINY: dict[str, tuple[dict[str, Any], float | tuple[float, ...], tuple[int, ...], float]] = {
    "modnet": (NARROW, 8e-3, (150,), 40),
    "modnet_temporal": ({"temporal": True, **NARROW}, 8e-3, (100, 60), 80),
    "u2net": ({"encoder": ((6, 12),) * 6, "decoder": ((6, 12),) * 5}, 2e-3, (120,), 40),
    "dim": ({"width": 0.15, "neck_kernel": 3, "neck_channels": 256}, (1.5e-3, 1.5e-3, 1.5e-4), (40, 40, 40), 30),
    "bgmv1": ({"channels": 8, "shared_blocks": 1, "head_blocks": 1}, 3e-3, (45, 8), 45),
    "bgmv2": ({"variant": "mobilenetv2", "backbone_scale": 0.5, "refine_sample_pixels": 320}, 1e-3, (28, 20), 55),
    "igf": ({"channels": (8, 16, 32, 48)}, 2e-3, (150,), 40),
    "mgmatting": ({"width": 8}, 3e-3, (40,), 40),
    "shm": ({"layout": "light"}, 2e-3, (8, 16, 28), 30),
    "sim": ({"variant": "colours", "width": 8, **SMALL}, 4e-3, (40,), 30),
    "rvm": ({}, 2e-3, (7, 4, 4, 4), 40),
    "stm": ({"width": 12, "slots": 4, "every": 2}, 2e-3, (30,), 50),
    "dvm": ({"width": 8, **SMALL}, 3e-3, (18,), 35),
}

# Of each kind of objective one stays: images alone, images with a memory, a plate, a trimap, a mask, a bank of frames.
SLOW = {"rvm", "u2net", "dvm", "mgmatting", "bgmv2", "shm", "dim"}


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    people, backgrounds = make_packs(tmp_path_factory.mktemp("packs"))
    return Pack(people), Pack(backgrounds)


def fixed_batch(packs, network, given: Pass, needs: tuple[str, ...], size: int = 64) -> Batch:
    """Two clips that stay the same, without what makes training samples hard."""
    calm = SceneConfig(
        as_is=0.0, empty=0.0, second=0.0, crowd=0.0, strands=0.0, decoy=0.0, noise=0.0, blur=0.0, codec=0.0, lamps=0.0,
        tone=0.0,
    )  # fmt: skip
    people, backgrounds = packs
    scenes = Scenes(people, backgrounds, range(4), calm)
    frames = {1: 1}.get(given.frames, 3)
    samples = Samples(scenes, Pass(given.objective, batch=2, frames=frames), needs, seed=(3,), steps=1)
    return collate([samples.sample(i, size) for i in range(2)])


Tasks = list[tuple[Any, Batch]]


def learn(network, stage: Stage, packs, steps: int, lr: float) -> tuple[list[float], Tasks]:
    """The sum of the parts at every step of a stage on one batch; each objective with its batch."""
    tasks: Tasks = []
    for given in stage.passes:
        adversarial = given.objective == "bgmv1-adversarial"
        lr = lr / 30 if adversarial else lr
        objective = build_objective(given.objective, network, {"critic_channels": 8} if adversarial else given.options)
        needs = tuple(dict.fromkeys((*network.needs, *objective.needs)))
        tasks.append((objective, fixed_batch(packs, network, given, needs)))
    trained = [p for n, p in network.named_parameters()]
    optimiser = torch.optim.Adam(trained, lr)
    critics = [p for objective, _ in tasks if objective.critic is not None for p in objective.critic.parameters()]
    critic_optimiser = torch.optim.Adam(critics, stage.critic_lr) if critics else None
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.2  # few steps
    network.train()
    history = []
    for step in range(steps):
        total = 0.0
        for objective, batch in tasks:
            parts = objective(network, batch, step / steps)
            loss = torch.stack(list(parts.values())).sum()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 5.0)
            optimiser.step()
            total += loss.item()
            if objective.critic is not None and critic_optimiser is not None:
                critic_optimiser.zero_grad()
                objective.critic_loss().backward()
                critic_optimiser.step()
        history.append(total)
    return history, tasks


@torch.no_grad()
def settle(network, tasks: Tasks) -> None:
    """Let the norms' statistics, by which evaluation goes, be those by which the last weights were learnt.

    They lag behind the weights, and hold the unbiased variance where training divides by the biased one: with the two
    values that are left of a batch this small in the deepest layers, that is twice as much.
    """
    counts: dict[Any, int] = {}

    def count(norm: Any, given: tuple[Any], _: Any) -> None:
        counts[norm] = given[0].numel() // norm.num_features

    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d) and m.training]
    hooks = [norm.register_forward_hook(count) for norm in norms]
    for _ in range(15):
        for objective, batch in tasks:
            objective(network, batch, 1.0)
    for hook in hooks:
        hook.remove()
    for norm, values in counts.items():
        norm.running_var *= (values - 1) / values


@pytest.mark.parametrize("name", [pytest.param(x, marks=[LONG] if x in SLOW else []) for x in sorted(TINY)])
def test_a_recipe_learns_real_samples_by_heart(packs, name):
    torch.manual_seed(0)
    options, lr, steps, goal = TINY[name]
    recipe = read_recipe(RECIPES / f"{name}.yaml")
    network, tasks = build(recipe.network, **options), Tasks()
    rates = lr if isinstance(lr, tuple) else (lr,) * len(steps)
    for stage, count, rate in zip(recipe.stages, steps, rates, strict=True):
        history, tasks = learn(network, stage, packs, count, rate)
        assert np.isfinite(history).all()
        if "adversarial" not in stage.passes[0].objective:
            few = min(5, count // 2)
            assert np.mean(history[-few:]) < np.mean(history[:few]), stage.name
    settle(network, tasks)
    network.eval()
    batch = fixed_batch(packs, network, recipe.stages[-1].passes[0], tuple(network.needs))
    parts = {name: _first_clip(getattr(batch, name), batch) for name in ("src", "pha", "fgr", "bgr")}
    hints = {name: _first_clip(hint, batch) for name, hint in batch.hints.items()}
    own = replace(batch, **parts, prev=batch.prev[:1], hints=hints)
    with torch.no_grad():
        error = (roll_out(network, own) - own.pha).abs().mean()
    assert 1000 * error < goal


def _first_clip(x, batch: Batch):
    return x.unflatten(0, (batch.frames, -1))[:, 0]


def test_unknown_names_and_options_are_told(packs):
    network = build("u2net", **TINY["u2net"][0])
    with pytest.raises(InputError, match="objective out of"):
        build_objective("unet", network)
    with pytest.raises(InputError, match="wieght"):
        build_objective("dim", build("dim", **TINY["dim"][0]), {"wieght": 1})


def test_the_adversarial_stage_keeps_near_its_teacher(packs):
    network = build("bgmv1", **TINY["bgmv1"][0])
    objective = build_objective("bgmv1-adversarial", network)
    before = [p.clone() for p in objective.teacher.parameters()]  # type: ignore[union-attr]
    batch = fixed_batch(packs, network, Pass("bgmv1-adversarial"), ("bgr", "seg"))
    loss = objective(network, batch, 0.0)["adversarial"]
    loss.backward()
    assert all(torch.equal(a, b) for a, b in zip(before, objective.teacher.parameters(), strict=True))  # type: ignore[union-attr]
    assert all(p.grad is None for p in objective.teacher.parameters())  # type: ignore[union-attr]
    late = objective(network, batch, 1.0)["adversarial"]
    assert late < loss  # the teacher's weight has halved seven times
    fresh = objective.critic_loss()
    fresh.backward()
    assert all(p.grad is not None for p in objective.critic.parameters())  # type: ignore[union-attr]


def test_sim_listens_to_its_classifier(packs, tmp_path):
    from koutu.models.sim_classifier import SIMClassifier

    torch.manual_seed(0)
    torch.save(SIMClassifier().state_dict(), tmp_path / "classifier.pth")
    network = build("sim", **TINY["sim"][0])
    objective = build_objective("sim", network, {"classifier": str(tmp_path / "classifier.pth")})
    batch = fixed_batch(packs, network, Pass("sim"), ("trimap",))
    parts = objective(network, batch, 0.0)
    assert "features" in parts and parts["features"] > 0
    torch.stack(list(parts.values())).sum().backward()
    assert all(p.grad is None for p in objective.parameters())
