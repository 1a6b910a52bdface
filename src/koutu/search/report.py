"""What a search found, to look at and to go on from."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from koutu.files import whole_file
from koutu.models.space import Space
from koutu.models.supernet import extract
from koutu.models.tmodnet import TMODNet
from koutu.search.evolve import Tried
from koutu.train.recipe import Recipe

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 720, 420, 60, 50, 20
_GREEN, _GREY, _RED = "#2a7d4f", "#8a8f8d", "#c0522d"


def plot(tried: Sequence[Tried], members: Sequence[Tried], best: Tried) -> str:
    """The front over all that was tried, as SVG: milliseconds across, error up."""
    across = [t.ms for t in tried]
    worst = max(t.mad for t in members) * 1.5
    shown = [t for t in tried if t.mad <= worst]
    right, low = max(across) * 1.05, min(t.mad for t in tried) * 0.95

    def at(t: Tried) -> tuple[float, float]:
        x = _LEFT + (_WIDTH - _LEFT - 10) * t.ms / right
        return x, _TOP + (_HEIGHT - _TOP - _BOTTOM) * (worst - t.mad) / max(worst - low, 1e-9)

    dots = [_dot(*at(t), 2.5, _GREY) for t in shown]
    line = " ".join("{:.1f},{:.1f}".format(*at(t)) for t in members)
    dots += [f'<polyline points="{line}" fill="none" stroke="{_GREEN}"/>', *(_dot(*at(t), 4, _GREEN) for t in members)]
    dots.append(_dot(*at(best), 6, _RED))
    for share in (0.0, 0.5, 1.0):
        y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share)
        dots.append(f'<text x="{_LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{low + (worst - low) * share:.1f}</text>')
        x = _LEFT + (_WIDTH - _LEFT - 10) * share
        dots.append(f'<text x="{x:.0f}" y="{_HEIGHT - 28}" text-anchor="middle">{right * share:.1f}</text>')
    legend = "milliseconds a frame across, mean |error| of alpha × 1000 up; green: the front, red: the one chosen"
    dots.append(f'<text x="{_LEFT}" y="{_HEIGHT - 8}">{legend}</text>')
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img">' + "".join(dots) + "</svg>\n"


def write(folder: Path, network: TMODNet, space: Space, recipe: Recipe, best: Tried) -> None:
    """chosen.pt, the chosen network as the supernet has it, and chosen.yaml, the recipe that trains it on."""
    small = extract(network, space, best.choice)
    config = asdict(small.cfg)
    content = {"network": "tmodnet", "config": config, "state_dict": small.state_dict()}
    part = folder / "chosen.pt.part"
    torch.save(content, part)
    part.replace(folder / "chosen.pt")
    given = _plain(asdict(recipe)) | {"options": _plain(config), "init": str(folder / "chosen.pt")}
    for stage in given["stages"]:
        for each in stage["passes"]:
            if each["objective"] == "supernet":
                options = {k: v for k, v in each["options"].items() if k not in ("drawn", "shapes")}
                each.update(objective="modnet", options=options)
    with whole_file(folder / "chosen.yaml") as file:
        file.write(yaml.safe_dump(given, sort_keys=False).encode())


def _plain(value: Any) -> Any:
    """Tuples as lists, for YAML."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def _dot(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'
