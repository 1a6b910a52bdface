"""Matting without a network: sparse linear systems over pixels, solved by the `pymatting` library.

Closed-form: Levin et al., "A Closed-Form Solution to Natural Image Matting", TPAMI 2008. KNN: Chen et al., "KNN
Matting", TPAMI 2013. Colours: Germer et al., "Fast Multi-Level Foreground Estimation", ICPR 2020.
"""

import sys
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from koutu.extras import pip_line
from koutu.types import Alpha, ModelError, Rgb

Method = Literal["closed-form", "knn"]
METHODS: tuple[str, ...] = get_args(Method)


def solve_alpha(rgb: Rgb, trimap: NDArray[Any], method: Method = "closed-form") -> NDArray[np.float32]:
    """Alpha (H, W) in [0, 1] of a picture (H, W, 3) and a trimap (H, W) of 0, 128, 255.

    A trimap without unknown pixels is its own answer; one without sure pixels of both kinds has none and raises
    ModelError. Memory and time grow with the picture: a megapixel takes about a minute.
    """
    known = trimap.astype(np.float64) / 255
    unknown = (trimap > 0) & (trimap < 255)
    if not unknown.any():
        return known.astype(np.float32)
    if not (trimap == 255).any() or not (trimap == 0).any():
        raise ModelError(
            f"{method} expects a trimap with sure foreground (255) and sure background (0), got one without; mark both"
        )
    solver = library()
    solve = solver.estimate_alpha_cf if method == "closed-form" else solver.estimate_alpha_knn
    alpha = solve(rgb.astype(np.float64) / 255, np.where(unknown, 0.5, known))
    return np.clip(alpha, 0, 1).astype(np.float32)


def solve_foreground(rgb: Rgb, alpha: Alpha) -> Rgb:
    """F of I = αF + (1 − α)B for a picture (H, W, 3) and its alpha (H, W), both uint8, by the multi-level method."""
    colours = library().estimate_foreground_ml(rgb / 255, alpha / 255)
    return np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)


def library() -> Any:
    """The module `pymatting`; ModelError without it. PyTorch keeps the number of threads that it was told.

    Numba starts its own threads on import, and where both use one OpenMP that number becomes PyTorch's as well.
    """
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    try:
        import pymatting  # compiles for a minute when first imported
    except ImportError as e:
        raise ModelError(
            "closed-form and KNN matting need the library pymatting, which is not installed; "
            f"install it with `{pip_line('classical')}`"
        ) from e
    if torch:
        torch.set_num_threads(threads)
    return pymatting
