"""What networks need beside an image, made from a scene as their authors made it: trimaps, coarse masks, plates.

Everything is drawn once a scene, so that a clip's hints do not jump; (T, H, W) or (T, H, W, 3), uint8.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.scenes.augment import jitter_colour
from koutu.data.scenes.motion import random_affine
from koutu.data.scenes.previous_alpha import warp
from koutu.data.scenes.sample import Scene

View = Callable[[Scene, np.random.Generator], NDArray]


def trimap(scene: Scene, rng: np.random.Generator) -> NDArray:
    """0, 128, 255: both sure parts shrunk, each by an ellipse of 1 … 29 pixels at 512, as in MGMatting's code."""
    scale = max(scene.pha.shape[1:]) / 512
    erode, dilate = (_disc(1 + rng.uniform(0, 14) * scale) for _ in range(2))
    made = []
    for pha in scene.pha:
        sure = cv2.erode((pha == 255).astype(np.uint8), erode)
        maybe = cv2.dilate((pha > 0).astype(np.uint8), dilate)
        made.append(np.where(sure > 0, 255, np.where(maybe > 0, 128, 0)).astype(np.uint8))
    return np.stack(made)


def mask(scene: Scene, rng: np.random.Generator) -> NDArray:
    """A coarse guidance: alpha cut at a random level, grown, shrunk or both, a block copied elsewhere (p ¼).

    After MGMatting (Yu et al., CVPR 2021) and its code: kernels up to 30 pixels at 2048.
    """
    level = rng.uniform(2.5, 255)
    largest = max(4.0, max(scene.pha.shape[1:]) / 2048 * 30)
    order = ((cv2.erode,), (cv2.dilate,), (cv2.erode, cv2.dilate), (cv2.dilate, cv2.erode))[int(rng.integers(4))]
    discs = [_disc(rng.uniform(0, largest / 2)) for _ in order]
    patch = _patch(scene.pha.shape[1:], rng) if rng.random() < 0.25 else None
    made = []
    for pha in scene.pha:
        coarse = (pha >= level).astype(np.uint8) * 255
        for morph, disc in zip(order, discs, strict=True):
            coarse = np.asarray(morph(coarse, disc))
        if patch is not None:
            there, here = patch
            coarse[there] = coarse[here].copy()
        made.append(coarse)
    return np.stack(made)


def segmentation(scene: Scene, rng: np.random.Generator) -> NDArray:
    """A soft person mask with up to two holes, as a segmentation network's, for Background Matting's first version.

    Alpha cut at ½, shrunk 10 to 20 pixels and grown 15 to 30 at 512, then blurred over 21, 31 or 41.
    """
    scale = max(scene.pha.shape[1:]) / 512
    inner, outer = _disc(rng.uniform(10, 20) / 2 * scale), _disc(rng.uniform(15, 30) / 2 * scale)
    blur = 2 * max(1, round(int(rng.choice([21, 31, 41])) * scale / 2)) + 1
    holes = [_patch(scene.pha.shape[1:], rng, 0.02, 0.12)[0] for _ in range(rng.integers(3))]
    made = []
    for pha in scene.pha:
        rough = cv2.dilate(cv2.erode((pha > 127).astype(np.uint8) * 255, inner), outer)
        for hole in holes:
            rough[hole] = 0
        made.append(np.asarray(cv2.GaussianBlur(rough, (blur, blur), 0)))
    return np.stack(made)


def plate(scene: Scene, rng: np.random.Generator) -> NDArray:
    """The place without anybody as a second photograph has it: noise, or another exposure; moved a little, p 0.3.

    After Background Matting (gamma around 1 by 0.12, or noise) and its second version (colours, a shift of 1 %).
    """
    empty = scene.bgr if scene.plate is None else scene.plate
    size = (empty.shape[1], empty.shape[2])
    shift = random_affine(size, rng, turn=1, shift=0.01, zoom=0.0) if rng.random() < 0.3 else None
    seed, kind = int(rng.integers(2**31)), rng.random()
    gamma, mean, spread = max(0.5, rng.normal(1, 0.12)), rng.uniform(-7, 7), rng.uniform(2, 6)
    table = np.rint((np.arange(256) / 255) ** gamma * 255).astype(np.uint8)
    made = []
    for picture in empty:
        if kind < 0.4:
            noise = rng.standard_normal(picture.shape, np.float32) * spread + mean
            picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
        elif kind < 0.8:
            picture = np.asarray(cv2.LUT(picture, table))
        else:
            picture = jitter_colour(np.ascontiguousarray(picture), np.random.default_rng(seed), 0.5)
        made.append(picture if shift is None else warp(picture, shift, border=cv2.BORDER_REFLECT_101))
    return np.stack(made)


NEEDS: dict[str, View] = {"trimap": trimap, "mask": mask, "seg": segmentation, "bgr": plate}


def view(scene: Scene, needs: Sequence[str], rng: np.random.Generator) -> dict[str, NDArray]:
    """What is needed of a scene, by name; raises ValueError for a need that no view makes."""
    unknown = [need for need in needs if need not in NEEDS]
    if unknown:
        raise ValueError(f"expected needs out of {', '.join(NEEDS)}, got {', '.join(unknown)}")
    return {need: NEEDS[need](scene, rng) for need in needs}


def _disc(radius: float) -> NDArray[np.uint8]:
    side = 2 * max(0, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _patch(
    size: tuple[int, ...], rng: np.random.Generator, low: float = 0.25, high: float = 0.5
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Two places of one block, its sides `low` … `high` of the image's: where it goes and where it comes from."""
    sides = [max(1, int(rng.uniform(low, high) * side)) for side in size]
    corners = [
        [int(rng.integers(0, whole - side + 1)) for whole, side in zip(size, sides, strict=True)] for _ in range(2)
    ]
    there, here = (tuple(slice(at, at + side) for at, side in zip(corner, sides, strict=True)) for corner in corners)
    return (there[0], there[1]), (here[0], here[1])
