"""Masks and plain portraits into soft mattes: most people have masks, and a network needs alphas."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.classical import Method, solve_alpha, solve_foreground
from koutu.data.mattes.adaptive_trimap import Widths, adaptive_trimap, grown
from koutu.data.mattes.studio_backdrop import Backdrop, fit_backdrop, least_alpha, unmixed
from koutu.matting.tiled_solver import narrowed, solve
from koutu.trimap import BACKGROUND, FOREGROUND, UNKNOWN
from koutu.types import Alpha, InputError, Rgb

_COARSE = 560  # longer side at which bands are found and grown
_GROWTHS = 2
_SOMEBODY = 0.01  # share of all that is surely person, from which a loose part is a person too
_TRACES = 12  # of 255: alphas that join


def closed_form_matte(rgb: Rgb, trimap: NDArray[np.uint8]) -> Alpha:
    """The closed-form alpha of (H, W, 3) and a trimap (H, W); under 2 % and over 98 % it is snapped to the ends."""
    alpha = solve_alpha(rgb, trimap)
    return np.clip((alpha - 0.02) / 0.96 * 255 + 0.5, 0, 255).astype(np.uint8)


def guided_matte(rgb: Rgb, mask: NDArray[np.float32], radius: int = 6, eps: float = 1e-4) -> Alpha:
    """A mask (H, W) in [0, 1] made to follow the image's edges by He et al.'s guided filter on luminance."""
    guide = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255

    def mean(x: NDArray) -> NDArray:
        return np.asarray(cv2.boxFilter(x, -1, (2 * radius + 1, 2 * radius + 1)))

    mean_guide, mean_mask = mean(guide), mean(mask)
    a = (mean(guide * mask) - mean_guide * mean_mask) / (mean(guide * guide) - mean_guide**2 + eps)
    b = mean_mask - a * mean_guide
    alpha = mean(a) * guide + mean(b)
    return np.clip((alpha - 0.05) / 0.9 * 255 + 0.5, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Solved:
    """trimap, alpha (H, W) and fgr (H, W, 3), uint8. noise: of a plain backdrop, of 1; None without one."""

    trimap: NDArray[np.uint8]
    alpha: Alpha
    fgr: Rgb
    noise: float | None


def solved_matte(rgb: Rgb, mask: NDArray[np.float32], method: Method = "closed-form") -> Solved:
    """The soft matte and clean colours of an image (H, W, 3) uint8 and a coarse mask (H, W) in [0, 1].

    Solved small first, with a band that grows where it was too narrow, then at full size where that left doubts.
    Raises InputError where mask and band leave no sure person or no sure background.
    """
    scale = min(1.0, _COARSE / max(rgb.shape[:2]))
    small, coarse_mask = _shrunk(rgb, scale), _shrunk(mask, scale)
    trimap, coarse = _coarse(small, coarse_mask, method)
    guess = coarse
    if scale < 1:
        size = rgb.shape[1::-1]
        whole = cv2.resize(trimap, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
        guess = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)).clip(0, 1)
        trimap = narrowed(whole, coarse)
    backdrop = fit_backdrop(rgb, trimap == BACKGROUND)
    alpha = _alpha(rgb, trimap, backdrop, guess, method) if scale < 1 else coarse
    levels = np.clip((alpha - 0.02) / 0.96 * 255 + 0.5, 0, 255).astype(np.uint8)
    levels = joined(levels, trimap == FOREGROUND)
    fgr = solve_foreground(rgb, levels) if backdrop is None else unmixed(rgb, levels, backdrop)
    return Solved(trimap, levels, fgr, backdrop.noise if backdrop else None)


def _coarse(rgb: Rgb, mask: NDArray[np.float32], method: Method) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Trimap and alpha at a size at which it costs little to solve again with a grown band."""
    widths = Widths.of(rgb.shape, mask)
    around = cv2.dilate((mask > 0.1).astype(np.uint8), np.ones((2 * widths.wide + 1,) * 2, np.uint8)) == 0
    backdrop = fit_backdrop(rgb, around)
    trimap = adaptive_trimap(rgb, mask, widths, backdrop)
    _require_both(trimap)
    alpha = mask
    for attempt in range(_GROWTHS + 1):
        backdrop = fit_backdrop(rgb, trimap == BACKGROUND) or backdrop
        alpha = _alpha(rgb, trimap, backdrop, mask, method)
        larger = grown(trimap, alpha, 2 * widths.narrow) if attempt < _GROWTHS else None
        if larger is None or not _has_both(larger):
            break
        trimap = larger
    return trimap, alpha


def _alpha(
    rgb: Rgb, trimap: NDArray[np.uint8], backdrop: Backdrop | None, guess: NDArray[np.float32], method: Method
) -> NDArray[np.float32]:
    """The method's alpha; before a plain backdrop never less than what differs from it needs."""
    alpha = solve(rgb, trimap, guess, method)
    if backdrop is None:
        return alpha
    least = least_alpha(rgb, backdrop)
    return np.where((trimap == UNKNOWN) & (least > 0.1), np.maximum(alpha, least), alpha)


def joined(alpha: Alpha, sure: NDArray[np.bool_]) -> Alpha:
    """Without what hangs together with nobody: bits of the background whose colours are like a person's."""
    reach = Widths.of(alpha.shape).narrow // 2
    traces = cv2.dilate((alpha > _TRACES).astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8))
    _, labels = cv2.connectedComponents(traces)
    areas = np.bincount(labels[sure], minlength=int(labels.max()) + 1)
    return np.where((areas > _SOMEBODY * sure.sum())[labels], alpha, 0).astype(np.uint8)


def _require_both(trimap: NDArray[np.uint8]) -> None:
    if not _has_both(trimap):
        raise InputError(
            "expected a mask that leaves a sure person and a sure background beside its band, got one without; "
            "is it the right mask, and large enough?"
        )


def _has_both(trimap: NDArray[np.uint8]) -> bool:
    return bool((trimap == FOREGROUND).any() and (trimap == BACKGROUND).any())


def _shrunk(picture: NDArray, scale: float) -> NDArray:
    if scale == 1:
        return picture
    size = max(8, round(picture.shape[1] * scale)), max(8, round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
