"""Training: it learns a handful of samples, resumes to the bit, and its learning rate and sizes follow the recipe."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from koutu.data.pack import Entry, write_pack  # noqa: E402
from koutu.models.modnet import Config, MODNet  # noqa: E402
from koutu.train import objectives  # noqa: E402
from koutu.train.loop import TrainConfig, learning_rate, size_at, split, train  # noqa: E402
from koutu.trimap import trimap_from_alpha  # noqa: E402

SMALL = Config(
    temporal=True, encoder="resnet", resnet_channels=(8, 16, 16, 24, 32), resnet_depths=(1, 1, 1, 1),
    lr_channels=(16, 16), hr_channels=8, norm="batch", subpixel=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def packs(tmp_path_factory) -> Path:
    folder, rng = tmp_path_factory.mktemp("packs"), np.random.default_rng(0)

    def person(i: int) -> tuple[Entry, np.ndarray]:
        rgba = rng.integers(0, 60, (100, 100, 4), np.uint8)
        rgba[..., 3] = 0
        cv2.circle(rgba, (50, 60), 30, (250, 40, 10, 255), -1)
        return Entry(f"p{i}", "eg1800", f"g{i}", True, 100, 100, 4), rgba

    room = np.full((90, 160, 3), (10, 90, 100), np.uint8)
    write_pack(folder / "people", (person(i) for i in range(60)))
    write_pack(folder / "backgrounds", [(Entry("r", "rooms", "r", False, 90, 160, 3), room)])
    return folder


def losses_of(run: Path) -> dict[int, float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


@pytest.mark.timeout(300)
def test_an_interrupted_run_continues_as_if_nothing_had_happened(packs, tmp_path):
    cfg = TrainConfig(steps=6, batch=2, sizes=((0.5, 32), (1.0, 64)), warmup=2, own_history=0.4, workers=0)
    train(cfg, SMALL, packs, tmp_path / "whole")
    train(cfg, SMALL, packs, tmp_path / "parts", stop_at=3)
    train(cfg, SMALL, packs, tmp_path / "parts")
    whole, parts = (torch.load(tmp_path / run / "last.pt", weights_only=True) for run in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 6
    for key, value in whole["model"].items():
        assert torch.equal(value, parts["model"][key]), key
    assert losses_of(tmp_path / "whole")[6] == losses_of(tmp_path / "parts")[6]


def test_it_learns_four_samples():
    torch.manual_seed(0)
    src, pha = torch.zeros(4, 3, 64, 64), torch.zeros(4, 1, 64, 64)
    for i in range(4):
        pha[i, :, 16:, 8 + 8 * i : 32 + 8 * i] = 1
        src[i] = torch.rand(3, 64, 64) * 0.3 + pha[i] * torch.tensor([0.6, 0.4, 0.3])[:, None, None]
    model = MODNet(SMALL).train()
    optimiser = torch.optim.AdamW(model.parameters(), 5e-3)
    for _ in range(200):
        loss = objectives.modnet(model, src, torch.zeros_like(pha), pha)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        pred = model(src, torch.zeros_like(pha))[1]
    assert (pred - pha).abs().mean() < 0.05


def test_schedules():
    cfg = TrainConfig(steps=1000, sizes=((0.3, 128), (1.0, 192)), lr=1.0, warmup=100)
    assert [size_at(s, cfg) for s in (0, 299, 300, 999, 5000)] == [128, 128, 192, 192, 192]
    rates = [learning_rate(s, cfg) for s in (0, 99, 100, 550, 1000)]
    assert rates == pytest.approx([0.01, 1.0, 1.0, 0.505, 0.01])


def test_no_person_is_on_both_sides(packs):
    from koutu.data.pack import Pack

    people = Pack(packs / "people")
    train_on, held_out = split(people)
    groups = [{people.entries[i].group for i in part} for part in (train_on, held_out)]
    assert not groups[0] & groups[1] and len(train_on) + len(held_out) == len(people) and held_out


def test_trimap():
    pha = torch.zeros(1, 1, 40, 40)
    pha[..., 10:30, 10:30] = 1
    trimap = trimap_from_alpha(pha, 3)
    assert trimap.unique().tolist() == [0, 0.5, 1]
    assert trimap[0, 0, 20, 20] == 1 and trimap[0, 0, 20, 8] == 0.5 and trimap[0, 0, 20, 12] == 0.5
    assert trimap[0, 0, 20, 6] == 0 and trimap[0, 0, 20, 13] == 1
