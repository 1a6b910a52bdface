"""Errors over time: whether the errors of alpha change from frame to frame.

After Erofeev et al., "Perceptually Motivated Benchmark for Video Matting", BMVC 2015, as RVM (Lin et al., WACV 2022)
and TCVOM (Zhang et al., ACM MM 2021, with VideoMatting108) compute them. pred and true: (H, W) as in `picture`;
`next_…` are of the frame after. All return raw values; `PRINTED` has the factors by which papers print.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.metrics.regions import Region, inside, levels
from koutu.types import InputError

PRINTED = {"dtssd": 1e2, "ssda": 1.0, "dtssd_sum": 1.0, "messddt": 1e-3, "messddt_fix": 1e-3}

Alphas = NDArray[Any]


def dtssd(pred: Alphas, true: Alphas, next_pred: Alphas, next_true: Alphas, region: Region | None = None) -> float:
    """RVM's: √ mean((p′ − p) − (g′ − g))². Its tables count a clip's first frame as 0 in the clip's mean."""
    return float(np.sqrt(inside(_change(pred, true, next_pred, next_true) ** 2, region).mean()))


def dtssd_sum(pred: Alphas, true: Alphas, next_pred: Alphas, next_true: Alphas, region: Region | None = None) -> float:
    """TCVOM's dtSSD: √ Σ((p′ − p) − (g′ − g))² over this frame's region. A clip's last frame counts as 0."""
    return float(np.sqrt(inside(_change(pred, true, next_pred, next_true) ** 2, region).sum()))


def ssda(pred: Alphas, true: Alphas, region: Region | None = None) -> float:
    """√ Σ(p − g)²."""
    p, g = levels(pred, true)
    return float(np.sqrt(inside((p - g) ** 2, region).sum()))


def messddt(
    pred: Alphas, true: Alphas, next_pred: Alphas, next_true: Alphas, flow: NDArray[Any], region: Region | None = None
) -> float:
    """TCVOM's MESSDdt: Σ |(p − g)² − (p″ − g″)²|, where p″ and g″ are the next frame's, looked up along the flow.

    flow: (H, W, 2) pixels to the right and down into the next frame; NaN where it is not known. Those pixels, and those
    that leave the image, do not count.
    """
    here, there, counted = _along(pred, true, next_pred, next_true, flow)
    return _sum(np.abs(here**2 - there**2), counted, region)


def messddt_fix(
    pred: Alphas, true: Alphas, next_pred: Alphas, next_true: Alphas, flow: NDArray[Any], region: Region | None = None
) -> float:
    """TCVOM's corrected form: Σ |(p − g) − (p″ − g″)|, which also sees an error that changes sign. As `messddt`."""
    here, there, counted = _along(pred, true, next_pred, next_true, flow)
    return _sum(np.abs(here - there), counted, region)


def lookup(alpha: NDArray[np.float64], flow: NDArray[Any]) -> tuple[NDArray[np.float64], Region]:
    """alpha (H, W) at x + flow, bilinear, and where that is known: flow is a number and ends within the image."""
    height, width = alpha.shape
    if flow.shape != (height, width, 2):
        raise InputError(f"expected flow {(height, width, 2)}, got {flow.shape}; give it at the alpha's size")
    x = np.arange(width)[None] + flow[..., 0].astype(np.float64)
    y = np.arange(height)[:, None] + flow[..., 1].astype(np.float64)
    valid = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(valid, x, -1), np.where(valid, y, -1)
    valid &= (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    left, top = (np.clip(np.floor(c), 0, side - 1).astype(np.intp) for c, side in ((x, width), (y, height)))
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    dx, dy = np.clip(x - left, 0, 1), np.clip(y - top, 0, 1)
    above = alpha[top, left] * (1 - dx) + alpha[top, right] * dx
    below = alpha[bottom, left] * (1 - dx) + alpha[bottom, right] * dx
    return above * (1 - dy) + below * dy, valid


def _change(pred: Alphas, true: Alphas, next_pred: Alphas, next_true: Alphas) -> NDArray[np.float64]:
    p, g = levels(pred, true)
    p_next, g_next = levels(next_pred, next_true)
    if p.shape != p_next.shape:
        raise InputError(f"expected frames of one size, got {p.shape} and {p_next.shape}")
    return (p_next - p) - (g_next - g)


def _along(
    pred: Alphas, true: Alphas, next_pred: Alphas, next_true: Alphas, flow: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], Region]:
    p, g = levels(pred, true)
    p_next, g_next = levels(next_pred, next_true)
    there, valid = lookup(p_next - g_next, flow)
    return p - g, there, valid


def _sum(values: NDArray[np.float64], counted: Region, region: Region | None) -> float:
    return float(inside(np.where(counted, values, 0.0), region).sum())
