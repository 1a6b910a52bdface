"""How good `koutu data matte` is where the truth is known: python bench/mattes.py FGR PHA SCENES [--json FILE].

FGR and PHA: folders of people's colours and true alphas of the same names; SCENES: pictures to put them on. Everybody
is put on a studio's paper (a lit grey with noise) and on a scene, and gets a coarse mask (the truth over one half, its
outline moved, thin parts opened away) and a wrong one (a bite out of the person, a piece of background added). The
solved matte stands beside the mask as it is and the guided filter's; by koutu.metrics, sums in thousands, MSE ×1000.
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.bench.run import about_run, save
from koutu.data.mattes.checks import faults, measured
from koutu.data.mattes.soft_matte import guided_matte, solved_matte
from koutu.data.sets.reading import READERS, composed
from koutu.media.image import read_image
from koutu.metrics import connectivity, gradient, mse, sad
from koutu.types import Alpha, Rgb

WAYS = ("mask", "guided", "closed-form", "knn")
MEASURES = ("sad", "mse", "grad", "conn")


def coarse(alpha: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A mask (H, W) as a segmenter gives it: outline off by about half a percent of the longer side, no hair."""
    side = max(alpha.shape)
    shifts = [np.asarray(cv2.GaussianBlur(rng.normal(0, 1, alpha.shape), (0, 0), 0.02 * side)) for _ in range(2)]
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]]
    at = [(a + s / s.std() * 0.005 * side).astype(np.float32) for a, s in zip((x, y), shifts, strict=True)]
    moved = cv2.remap((alpha > 0.5).astype(np.float32), at[0], at[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(3, round(0.008 * side)) + 1,) * 2)
    return cv2.morphologyEx((moved > 0.5).astype(np.uint8), cv2.MORPH_OPEN, disc).astype(np.float32)


def wrong(mask: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The mask with a bite out of the person's outline and a piece of background added, a tenth of the side each."""
    out = mask.copy()
    edge = np.argwhere(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    for value in (0.0, 1.0):
        y, x = edge[rng.integers(len(edge))].tolist()
        cv2.circle(out, (x, y), max(mask.shape) // 10, value, -1)
    return out


def studio(size: tuple[int, int], rng: np.random.Generator) -> Rgb:
    """Grey paper, lit from somewhere, with a camera's noise."""
    y, x = np.mgrid[: size[0], : size[1]] / max(size)
    light = 1 - 0.35 * ((x - 0.5 - rng.uniform(-0.2, 0.2)) ** 2 + (y - 0.4) ** 2)
    colour = rng.uniform(0.3, 0.85) + rng.uniform(-0.05, 0.05, 3)
    return np.clip(colour * light[..., None] * 255 + rng.normal(0, 1.5, (*size, 3)), 0, 255).astype(np.uint8)


def scene(path: Path, size: tuple[int, int]) -> Rgb:
    """A picture that covers (H, W), a little out of focus."""
    rgb = read_image(path)
    scale = 1.01 * max(size[0] / rgb.shape[0], size[1] / rgb.shape[1])
    large = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(large[: size[0], : size[1]], (0, 0), 1.5))


def scores(pred: Alpha, true: Alpha) -> list[float]:
    """SAD, MSE, Grad, Conn."""
    values = sad(pred, true) / 1e3, mse(pred, true) * 1e3, gradient(pred, true) / 1e3, connectivity(pred, true) / 1e3
    return [round(value, 3) for value in values]


def rows(fgr: Path, pha: Path, scenes: list[Path]) -> list[dict[str, Any]]:
    """A row for every person, backdrop and kind of mask."""
    found = []
    for number, path in enumerate(sorted(pha.iterdir())):
        rng = np.random.default_rng(number)
        colours = read_image(next(fgr.glob(f"{path.stem}.*")))
        alpha = READERS["pha"](path)["pha"]
        true = np.rint(alpha * 255).astype(np.uint8)
        good = coarse(alpha, rng)
        behind = {"studio": studio(true.shape, rng), "scene": scene(scenes[rng.integers(len(scenes))], true.shape)}
        for backdrop, bgr in behind.items():
            rgb = composed(colours, alpha, bgr)
            for kind, mask in (("coarse", good), ("wrong", wrong(good, rng))):
                solved = solved_matte(rgb, mask)
                measures = measured(rgb, mask, solved)
                ways = {
                    "mask": (mask * 255).astype(np.uint8), "guided": guided_matte(rgb, mask),
                    "closed-form": solved.alpha,
                }  # fmt: skip
                if kind == "coarse" and number % 4 == 0:
                    ways["knn"] = solved_matte(rgb, mask, "knn").alpha
                row = {"name": path.stem, "backdrop": backdrop, "kind": kind, "found": solved.noise is not None}
                row |= {"reasons": faults(measures), **measures.as_dict()}
                found.append(row | {way: scores(matte, true) for way, matte in ways.items()})
                print(row["name"], backdrop, kind, found[-1]["closed-form"], measures.as_dict(), flush=True)
    return found


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Means by backdrop and way with coarse masks, and what the checks let through."""
    out: dict[str, Any] = {}
    for backdrop in ("studio", "scene"):
        own = [row for row in found if row["backdrop"] == backdrop and row["kind"] == "coarse"]
        means = {way: [row[way] for row in own if way in row] for way in WAYS}
        out[backdrop] = {
            way: dict(zip(MEASURES, np.mean(values, axis=0).round(3).tolist(), strict=True)) | {"pictures": len(values)}
            for way, values in means.items() if values
        }  # fmt: skip
        out[backdrop]["found"] = sum(row["found"] for row in own)
    for name, kept in (("accepted", True), ("rejected", False)):
        own = [row for row in found if (not row["reasons"]) == kept]
        errors = [row["closed-form"][1] for row in own]
        out[name] = {
            "coarse": sum(row["kind"] == "coarse" for row in own), "wrong": sum(row["kind"] == "wrong" for row in own),
            "mse": round(float(np.mean(errors)), 3) if own else None,
            "worst": max(errors, default=None), "best": min(errors, default=None),
        }  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("fgr", "pha", "scenes"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = rows(given.fgr, given.pha, sorted(given.scenes.iterdir()))
    result = summary(found)
    print(result)
    if given.json:
        save({**about_run(), "summary": result, "rows": found}, given.json)


if __name__ == "__main__":
    main()
