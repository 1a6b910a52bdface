"""Ways to bring a small alpha to full size, compared: python bench/refine.py PEOPLE BACKGROUNDS --json FILE.

The packaged network sees composed pictures at half their size; its alpha is then enlarged bilinearly, by cubics, by the
fast guided filter (He and Sun, arXiv 1505.00996), by koutu's own refinement (`matting/refine.py`, without and with
`matting/local_colour.py` before it), and by two learned ones that get the network's features: the deep guided filter
of RVM and patches of Background Matting V2, where alpha is unsure. These learn here, for --steps of 4 pictures, while
the network stands still. All are measured on the same pictures of people that neither was trained on; milliseconds are
of 592×336 to 1280×720 on one thread, in turn.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.bench.run import about_run, save
from koutu.data.packs.pack import Pack, split
from koutu.data.scenes.sample import SceneConfig, Scenes
from koutu.matting.local_colour import follow_colours
from koutu.matting.refine import guided_upsample
from koutu.models import load_checkpoint
from koutu.models.tmodnet import TMODNet
from koutu.nn.guided import fast_guided_filter, moments
from koutu.nn.patches import cells, crop, replace, select_above
from koutu.types import Rgb
from koutu.zoo import DEFAULT, MODELS, WEIGHTS

SIDE, RATIO, HELD_OUT, FEATURES = 448, 2, 8, 16
PLACES = (("scenery", 8.0), ("plates", 1.5))
SPEED = (336, 592), (720, 1280)
Small = tuple[Tensor, Tensor, Tensor]  # the small picture, its alpha, the detail branch's features at its size


class DeepGuidedFilter(nn.Module):
    """RVM's (Lin et al., WACV 2022) for alpha alone: slopes of learned windows, mended by a few 1×1 convolutions."""

    def __init__(self):
        super().__init__()
        self.box = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        nn.init.constant_(self.box.weight, 1 / 9)
        layers = [nn.Conv2d(2 + FEATURES, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                  nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 1, 1)]  # fmt: skip
        self.slope = nn.Sequential(*layers)

    def forward(self, small: Small, src: Tensor, _: Rgb | None = None) -> Tensor:
        x, pha, features = small
        guide = grey(x)
        mean_guide, mean_pha, variance, covariance = moments(guide, pha, self.box)
        slope = self.slope(torch.cat([covariance, variance, features], dim=1))
        offset = mean_pha - slope * mean_guide
        return enlarged(slope, src) * grey(src) + enlarged(offset, src)


class Patches(nn.Module):
    """Background Matting V2's refiner (Lin et al., CVPR 2021) without a plate: 8×8 patches to 4×4 cells."""

    def __init__(self):
        super().__init__()
        self.rough = nn.Sequential(nn.Conv2d(FEATURES + 4, 24, 3), nn.ReLU(), nn.Conv2d(24, 16, 3), nn.ReLU())
        last = nn.Conv2d(12, 1, 3)
        nn.init.zeros_(last.weight)  # at first, alpha as it is
        self.fine = nn.Sequential(nn.Conv2d(19, 12, 3), nn.ReLU(), last)

    def forward(self, small: Small, src: Tensor, _: Rgb | None = None) -> Tensor:
        pha, features = small[1:]
        coarse = enlarged(pha, src)
        unsure = F.max_pool2d(4 * coarse * (1 - coarse), 4)
        where = cells(select_above(unsure, 0.05))
        half = F.avg_pool2d(src, 2)
        half = torch.cat([enlarged(features, half), enlarged(pha, half), half], dim=1)
        x = F.interpolate(self.rough(crop(half, where, 2, 3)), size=(8, 8), mode="nearest")
        x = self.fine(torch.cat([x, crop(src, where, 4, 2)], dim=1))
        return replace(coarse, crop(coarse, where, 4) + x, where)


def grey(x: Tensor) -> Tensor:
    return x.mean(dim=1, keepdim=True)


def enlarged(x: Tensor, like: Tensor, mode: str = "bilinear") -> Tensor:
    return F.interpolate(x, size=(like.shape[-2], like.shape[-1]), mode=mode, align_corners=False)


def guided(small: Small, src: Tensor, _: Rgb) -> Tensor:
    x, pha = small[:2]
    return fast_guided_filter(grey(x), pha, grey(src), 2, 1e-3, align_corners=False)


def ours(small: Small, src: Tensor, rgb: Rgb) -> Tensor:
    return torch.from_numpy(guided_upsample(small[1][0, 0].numpy(), rgb))[None, None].float() / 255


def with_colours(small: Small, src: Tensor, rgb: Rgb) -> Tensor:
    pha = follow_colours(small[1][0, 0].numpy(), bytes_of(small[0]))
    return torch.from_numpy(guided_upsample(pha, rgb))[None, None].float() / 255


def bytes_of(src: Tensor) -> Rgb:
    """(1, 3, H, W) in [0, 1] → (H, W, 3) uint8."""
    return np.ascontiguousarray((255 * src[0].permute(1, 2, 0)).round().byte().numpy())


@torch.no_grad()
def seen(network: TMODNet, x: Tensor) -> Small:
    """What the network makes of small pictures: alpha and features, both at their size."""
    found: list[Tensor] = []
    hook = network.detail_branch.register_forward_hook(lambda *given: found.append(given[-1]))
    _, first, *_ = network(x, *network.initial_state(x))  # a first picture is seen twice, as in use
    pha = network(x, first)[1]
    hook.remove()
    return x, pha, enlarged(found[-1], x)


class Data:
    """Composed pictures with alpha, of people that are trained on or not."""

    def __init__(self, args: argparse.Namespace, *, held_out: bool):
        people = Pack(args.people)
        cfg = SceneConfig(exact=True, strands=0.5 * (not held_out), empty=0.0, lamps=0.0, background_weights=PLACES)
        self.scenes = Scenes(people, Pack(args.backgrounds), split(people, HELD_OUT)[int(held_out)], cfg)
        self.first = 43 if held_out else 41

    def __call__(self, i: int) -> tuple[Tensor, Tensor]:
        """src (1, 3, S, S) and pha (1, 1, S, S)."""
        scene = self.scenes(np.random.default_rng((self.first, i)), SIDE)
        src = torch.from_numpy(scene.src).permute(0, 3, 1, 2).float() / 255
        return src, torch.from_numpy(scene.pha)[:, None].float() / 255


def shrunk(src: Tensor) -> Tensor:
    return F.avg_pool2d(src, RATIO)


def train(refiner: nn.Module, network: TMODNet, data: Data, steps: int, lr: float = 2e-3) -> None:
    """L1 over all and over the boundary, where refinement has something to say."""
    optimiser = torch.optim.Adam(refiner.parameters(), lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=steps)
    refiner.train()
    for step in range(steps):
        pairs = [data(4 * step + k) for k in range(4)]
        src, pha = (torch.cat(x) for x in zip(*pairs, strict=True))
        off = (refiner(seen(network, shrunk(src)), src) - pha).abs()
        loss = off.mean() + 4 * (off * band(pha)).sum() / band(pha).sum().clamp(min=1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            print(type(refiner).__name__, step, f"{float(loss.detach()):.4f}", flush=True)
    refiner.eval()


def band(pha: Tensor) -> Tensor:
    """1 within 4 pixels of what is neither 0 nor 1."""
    return F.max_pool2d(((pha > 0.02) & (pha < 0.98)).float(), 9, 1, 4)


Way = Callable[[Small, Tensor, Rgb], Tensor]  # the small ones, the full-size picture, and that as bytes


@torch.no_grad()
def errors(ways: dict[str, Way], network: TMODNet, data: Data, count: int) -> dict[str, dict[str, float]]:
    """MAD × 1000 over all and over the band: with the network's alpha, and with the true one made small."""
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
    for i in range(count):
        src, true = data(i)
        small = seen(network, shrunk(src))
        perfect = small[0], F.avg_pool2d(true, RATIO), small[2]
        near = band(true)
        for name, way in ways.items():
            offs = [(way(given, src, bytes_of(src)).clamp(0, 1) - true).abs() for given in (small, perfect)]
            bands = [1000 * float((off * near).sum() / near.sum().clamp(min=1)) for off in offs]
            found[name].append((1000 * float(offs[0].mean()), *bands))
    keys = ("mad", "band_mad", "band_mad_of_truth")
    return {name: dict(zip(keys, np.mean(each, axis=0).tolist(), strict=True)) for name, each in found.items()}


@torch.no_grad()
def timed(ways: dict[str, Way], rounds: int = 9) -> dict[str, float]:
    """Milliseconds from 592×336 to 1280×720, of somebody's outline, in turn."""
    outline = np.zeros(SPEED[1], np.float32)
    cv2.ellipse(outline, (640, 500), (260, 400), 0, 0, 360, 1.0, -1)
    soft = cv2.resize(cv2.GaussianBlur(outline, (0, 0), 6), SPEED[0][::-1], interpolation=cv2.INTER_AREA)
    src = torch.rand(1, 3, *SPEED[1])
    x = enlarged(src, torch.empty(1, 1, *SPEED[0]))
    small = x, torch.from_numpy(soft)[None, None], torch.rand(1, FEATURES, *SPEED[0])
    rgb, found = bytes_of(src), {name: list[float]() for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            at = time.perf_counter()
            way(small, src, rgb)
            found[name].append(1000 * (time.perf_counter() - at))
    return {name: statistics.median(each[1:]) for name, each in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", help="a pack, as `koutu data pack` makes it")
    parser.add_argument("backgrounds", help="a pack")
    parser.add_argument("--weights", type=Path, default=WEIGHTS / MODELS[DEFAULT].checkpoint)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()
    about: dict[str, Any] = about_run()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    network = load_checkpoint(args.weights, "tmodnet")
    assert isinstance(network, TMODNet)
    learned = {"deep guided filter": DeepGuidedFilter(), "patches": Patches()}
    for refiner in learned.values():
        train(refiner, network, Data(args, held_out=False), args.steps)
    ways: dict[str, Way] = {
        "bilinear": lambda small, src, _: enlarged(small[1], src),
        "cubic": lambda small, src, _: enlarged(small[1], src, "bicubic"),
        "fast guided filter": guided, "enlarged with edges": ours, "koutu's": with_colours, **learned,
    }  # fmt: skip
    rows = errors(ways, network, Data(args, held_out=True), args.pictures)
    for name, ms in timed(ways).items():
        rows[name]["ms"] = ms
        print(name, {key: round(value, 2) for key, value in rows[name].items()})
    settings = {"steps": args.steps, "pictures": args.pictures, "side": SIDE, "ratio": RATIO}
    save(about | {"settings": settings, "rows": rows}, args.json)


if __name__ == "__main__":
    main()
