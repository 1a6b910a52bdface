"""The training loop: samples made on the fly, EMA weights, a time budget, checkpoints that resume exactly.

python -m koutu.train.loop recipes/modnet_small.json --packs PACKS --out runs/small
"""

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from koutu.data.pack import Pack
from koutu.data.synthesis import Synthesis
from koutu.models.modnet import Config, MODNet
from koutu.train import objectives
from koutu.train.validate import closed_loop

VALIDATION_SHARE = 50  # every 50th group is held out


@dataclass(frozen=True)
class TrainConfig:
    """A training run; the recipe file holds these fields and `model`, the network's Config."""

    steps: int = 20_000
    batch: int = 32
    sizes: tuple[tuple[float, int], ...] = ((1.0, 192),)  # (until this share of the steps, side of a sample)
    lr: float = 2e-3
    warmup: int = 300
    weight_decay: float = 1e-4
    ema: float = 0.999
    own_history: float = 0.0  # share of steps, at the end of training, whose previous alpha is the network's own
    seed: int = 1
    save_seconds: float = 240.0
    max_hours: float = 100.0
    workers: int = 1
    threads: int = 2


class Samples(Dataset):
    """Sample i is made from its own seed, so that data do not depend on workers or on where a run resumed."""

    def __init__(self, makers: dict[int, Synthesis], cfg: TrainConfig, start: int = 0):
        self.makers, self.cfg, self.start = makers, cfg, start * cfg.batch

    def __len__(self) -> int:
        return self.cfg.steps * self.cfg.batch - self.start

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, Tensor]:
        i += self.start
        size = size_at(i // self.cfg.batch, self.cfg)
        sample = self.makers[size](np.random.default_rng((self.cfg.seed, i)))
        return torch.from_numpy(sample.rgb), torch.from_numpy(sample.pha), torch.from_numpy(sample.prev)


def split(people: Pack) -> tuple[list[int], list[int]]:
    """Indices to train on and to validate on; pictures of one person stay together."""
    groups = sorted({e.group for e in people.entries})
    held_out = set(groups[::VALIDATION_SHARE])
    train = [i for i, e in enumerate(people.entries) if e.group not in held_out]
    return train, [i for i, e in enumerate(people.entries) if e.group in held_out]


def size_at(step: int, cfg: TrainConfig) -> int:
    """Side of the samples of a step: small pictures first, which teach shapes at a fraction of the time."""
    return next((size for until, size in cfg.sizes if step < until * cfg.steps), cfg.sizes[-1][1])


def learning_rate(step: int, cfg: TrainConfig) -> float:
    """Linear warm-up, then half a cosine down to 1 %."""
    if step < cfg.warmup:
        return cfg.lr * (step + 1) / cfg.warmup
    done = (step - cfg.warmup) / max(1, cfg.steps - cfg.warmup)
    return cfg.lr * (0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * min(1.0, done)))))


def to_batch(batch: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """uint8 NHWC and NHW → src (N, 3, H, W), pha and prev (N, 1, H, W), float in [0, 1]."""
    rgb, pha, prev = batch
    src = rgb.permute(0, 3, 1, 2).to(memory_format=torch.channels_last).float() / 255
    return src, pha[:, None].float() / 255, prev[:, None].float() / 255


class Run:
    """Everything that a checkpoint holds: network, EMA copy, optimiser, step."""

    def __init__(self, cfg: TrainConfig, model_cfg: Config, out: Path):
        torch.manual_seed(cfg.seed)
        self.cfg, self.model_cfg, self.out, self.step = cfg, model_cfg, out, 0
        self.model = MODNet(model_cfg)
        self.model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.ema = MODNet(model_cfg).eval().requires_grad_(False)
        self.ema.load_state_dict(self.model.state_dict())
        decay = [p for p in self.model.parameters() if p.ndim > 1]
        rest = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": cfg.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=cfg.lr)

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(), "ema": self.ema.state_dict(), "optimiser": self.optimiser.state_dict(),
            "step": self.step, "config": asdict(self.model_cfg), "rng": torch.get_rng_state(),
        }  # fmt: skip
        part = self.out / "last.pt.part"
        torch.save(state, part)
        os.replace(part, self.out / "last.pt")

    def resume(self) -> None:
        if not (self.out / "last.pt").is_file():
            return
        state = torch.load(self.out / "last.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["rng"])
        self.step = state["step"]

    def start_from(self, weights: Path) -> None:
        """Take over trained weights (a checkpoint's moving average), with a fresh optimiser at step 0."""
        state = torch.load(weights, weights_only=True)["ema"]
        self.model.load_state_dict(state)
        self.ema.load_state_dict(state)

    def train_step(self, src: Tensor, pha: Tensor, prev: Tensor) -> dict[str, Tensor]:
        """One optimiser step on a batch; returns the named loss parts."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, self.cfg)
        with torch.autocast("cpu", torch.bfloat16):
            if self.step >= self.cfg.steps * (1 - self.cfg.own_history) and self.step % 2:
                prev = self._own_history(src, prev)
            parts = objectives.modnet(self.model, src, prev, pha)
        self.optimiser.zero_grad(set_to_none=True)
        parts["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0, error_if_nonfinite=True)
        self.optimiser.step()
        self.step += 1
        rate = min(self.cfg.ema, (1 + self.step) / (10 + self.step))
        for a, b in zip(self.ema.state_dict().values(), self.model.state_dict().values(), strict=True):
            a.lerp_(b, 1 - rate) if a.is_floating_point() else a.copy_(b)
        return parts

    @torch.no_grad()
    def _own_history(self, src: Tensor, prev: Tensor) -> Tensor:
        """What the network itself makes of this frame with the made-up past: the past of the next frame."""
        self.model.eval()
        pha = self.model(src, prev)[1].float()
        self.model.train()
        return pha


def train(
    cfg: TrainConfig, model_cfg: Config, packs: Path, out: Path, *, stop_at: int | None = None, init: Path | None = None
) -> None:
    """Run or resume a recipe until its steps or its hours are over, or to step `stop_at`, to be resumed.

    A new run starts from random weights, or from those of the checkpoint `init`. Writes last.pt and log.jsonl to `out`.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(cfg.threads)
    people, backgrounds = Pack(packs / "people", in_memory=True), Pack(packs / "backgrounds", in_memory=True)
    indices, held_out = split(people)
    run = Run(cfg, model_cfg, out)
    if init and not (out / "last.pt").is_file():
        run.start_from(init)
    run.resume()
    makers = {size: Synthesis(people, backgrounds, indices, size) for _, size in cfg.sizes}
    samples = Samples(makers, cfg, run.step)
    loader = DataLoader(
        samples, cfg.batch, num_workers=cfg.workers, prefetch_factor=4 if cfg.workers else None,
        generator=torch.Generator(),  # its own: the loader must not disturb the numbers that a resumed run draws
    )  # fmt: skip
    validation = Synthesis(people, backgrounds, held_out, cfg.sizes[-1][1])
    started = saved = time.monotonic()
    run.model.train()
    for batch in loader:
        parts = run.train_step(*to_batch(batch))
        now = time.monotonic()
        over = run.step >= min(cfg.steps, stop_at or cfg.steps) or now - started > cfg.max_hours * 3600
        if run.step % 50 == 0 or over:
            line = {"step": run.step, "seconds": round(now - started, 1)}
            log(out, line | {k: round(v.item(), 4) for k, v in parts.items()})
        if now - saved > cfg.save_seconds or over:
            run.save()
            log(out, {"step": run.step, **closed_loop(run.ema, validation)})
            saved = time.monotonic()
        if over:
            return


def log(out: Path, line: dict) -> None:
    """Append one JSON line to log.jsonl."""
    with open(out / "log.jsonl", "a") as file:
        file.write(json.dumps(line) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--packs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="checkpoint whose weights a new run starts from")
    parser.add_argument("--max-hours", type=float)
    args = parser.parse_args()
    recipe = json.loads(args.recipe.read_text())
    model: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in recipe.pop("model").items()}
    sizes = tuple((float(until), int(size)) for until, size in recipe.pop("sizes"))
    cfg = TrainConfig(sizes=sizes, **recipe)
    if args.max_hours is not None:
        cfg = replace(cfg, max_hours=args.max_hours)
    train(cfg, Config(**model), args.packs, args.out, init=args.init)


if __name__ == "__main__":
    main()
