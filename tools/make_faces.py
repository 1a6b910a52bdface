"""Make the filter that finds faces: `python tools/make_faces.py --aligned LONDON --faces DIR… --nobody DIR… -o FILE`.

It begins with portraits whose faces all lie at the same place, finds the faces of other portraits with what it learned
of those, and learns from all. Whatever it takes for a face elsewhere, in pictures with nobody above all, it learns to
leave. Takes a few minutes of one core.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from koutu.data.scenes.faces import CELL, CELLS, DIRECTIONS, SIDE, Face, detections, histograms, overlap
from koutu.media.image import read_image

LONG, LEAST = 448, 40  # pixels: of pictures, of the smallest face learned from
PLACE = 0.385, 0.23  # of aligned portraits: where faces begin, across and down, and their side, in shares
SURE, ROUNDS, DECAY = 1.5, 3, 2e-4


@dataclass
class Known:
    """A grey picture and the faces known in it."""

    grey: NDArray[np.uint8]
    faces: list[Face] = field(default_factory=list)


def read(folders: Sequence[Path]) -> list[Known]:
    known = []
    for path in sorted(p for folder in folders for p in folder.iterdir() if p.suffix in (".webp", ".jpg", ".png")):
        rgb = read_image(path)
        scale = LONG / max(rgb.shape)
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        known.append(Known(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.uint8)))
    return known


def window(grey: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
    """What the filter sees of a face."""
    scale = SIDE / face.side
    matrix = np.array([[scale, 0, CELL - face.x * scale], [0, scale, CELL - face.y * scale]])
    soft = np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.4 / scale)) if scale < 0.8 else grey
    whole = cv2.warpAffine(soft, matrix, (SIDE + 2 * CELL, SIDE + 2 * CELL), borderMode=cv2.BORDER_REPLICATE)
    return histograms(whole.astype(np.uint8))[1:-1, 1:-1]


def mirrored(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    return weights[:, ::-1][..., [0, *range(DIRECTIONS - 1, 0, -1)]]


def near(rng: np.random.Generator, face: Face) -> Face:
    grown = float(np.exp(rng.normal(0, 0.05)))
    x, y = np.array([face.x, face.y]) + face.side * (rng.normal(0, 0.03, 2) + (1 - grown) / 2)
    return Face(float(x), float(y), face.side * grown)


def anywhere(rng: np.random.Generator, known: Known, count: int) -> list[NDArray[np.float32]]:
    made = []
    while len(made) < count:
        side = float(rng.uniform(24, 200))
        x, y = (float(rng.uniform(0, max(1.0, length - side))) for length in known.grey.shape[::-1])
        if all(overlap(Face(x, y, side), face) < 0.3 for face in known.faces):
            made.append(window(known.grey, Face(x, y, side)))
    return made


def fit(faces: NDArray[np.float32], others: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Logistic regression, both sides counting alike; the same for a face and its mirror image."""
    x = torch.from_numpy(np.concatenate([faces, others]).reshape(len(faces) + len(others), -1))
    truth = torch.cat([torch.ones(len(faces)), torch.zeros(len(others))])
    share = torch.where(truth > 0, 0.5 / len(faces), 0.5 / len(others))
    weights, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    solver = torch.optim.LBFGS([weights, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        said = x @ weights + bias
        wrong = torch.nn.functional.binary_cross_entropy_with_logits(said, truth, reduction="none")
        total = (share * wrong).sum() + DECAY * (weights**2).sum()
        total.backward()
        return total

    solver.step(loss)
    one = weights.detach().numpy().reshape(CELLS, CELLS, DIRECTIONS)
    return ((one + mirrored(one)) / 2).astype(np.float32), float(bias.detach())


def learned(
    rng: np.random.Generator, portraits: Sequence[Known], nobody: Sequence[Known], others: list[NDArray[np.float32]]
) -> tuple[NDArray[np.float32], float]:
    """The filter after `ROUNDS` of mistakes, which join `others`."""
    faces = [window(x.grey, near(rng, face)) for x in portraits for face in x.faces for _ in range(3)]
    faces += [mirrored(face) for face in faces]
    weights, bias = fit(np.stack(faces), np.stack(others))
    for turn in range(ROUNDS):
        before = len(others)
        for known in (*portraits[turn::ROUNDS], *nobody):
            found = detections(known.grey, weights, bias, -1.0, LEAST)[:12]
            others += [window(known.grey, face) for face in found if all(overlap(face, x) < 0.3 for x in known.faces)]
        weights, bias = fit(np.stack(faces), np.stack(others))
        print(f"{len(portraits)} portraits, {len(faces)} faces, {len(others) - before} more mistakes", flush=True)
    return weights, bias


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("aligned", "faces", "nobody"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    portraits, nobody, more = read(args.aligned), read(args.nobody), read(args.faces)
    for known in portraits:
        height, width = known.grey.shape
        known.faces = [Face(PLACE[0] * width, PLACE[0] * height, PLACE[1] * width)]
    others = [x for known in portraits for x in anywhere(rng, known, 10)]
    others += [x for known in nobody for x in anywhere(rng, known, 20)]
    weights, bias = learned(rng, portraits, nobody, others)
    for known in more:
        known.faces = [x for x in detections(known.grey, weights, bias, SURE, LEAST) if x.side > LEAST][:1]
    weights, bias = learned(rng, [*portraits, *(x for x in more if x.faces)], nobody, others)
    step = float(np.abs(weights).max()) / 127
    np.savez(args.output, weights=np.rint(weights / step).astype(np.int8), step=step, bias=bias)


if __name__ == "__main__":
    main()
