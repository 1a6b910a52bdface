"""Random pictures and planes, and colour conversion written slowly, by the standards' defining equations."""

import itertools

import numpy as np

from koutu.types import ColorSpace, Yuv420

SPACES = [ColorSpace(matrix, full) for matrix in ("bt601", "bt709", "bt2020") for full in (False, True)]
KINDS = list(itertools.product(SPACES, (8, 10)))
WEIGHTS = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722), "bt2020": (0.2627, 0.6780, 0.0593)}


def levels(space: ColorSpace, depth: int) -> tuple[float, float, float, float]:
    """Black, luma swing, chroma middle, chroma swing."""
    unit = 2 ** (depth - 8)
    if space.full_range:
        return 0, 2**depth - 1, 128 * unit, 2**depth - 1
    return 16 * unit, 219 * unit, 128 * unit, 224 * unit


def slow_yuv(rgb, space: ColorSpace, depth: int):
    """Three full-size float planes, by the standard's defining equations."""
    red, green, blue = np.moveaxis(np.asarray(rgb, np.float64) / 255, -1, 0)
    wr, wg, wb = WEIGHTS[space.matrix]
    luma = wr * red + wg * green + wb * blue
    black, swing, middle, chroma = levels(space, depth)
    return (
        black + swing * luma,
        middle + chroma * (blue - luma) / (2 * (1 - wb)),
        middle + chroma * (red - luma) / (2 * (1 - wr)),
    )


def slow_rgb(y, u, v, space: ColorSpace, depth: int):
    """(H, W, 3) float, not clipped, of three planes of one size."""
    wr, wg, wb = WEIGHTS[space.matrix]
    black, swing, middle, chroma = levels(space, depth)
    luma = (np.asarray(y, np.float64) - black) / swing
    red = luma + 2 * (1 - wr) * (np.asarray(v, np.float64) - middle) / chroma
    blue = luma + 2 * (1 - wb) * (np.asarray(u, np.float64) - middle) / chroma
    return 255 * np.stack([red, (luma - wr * red - wb * blue) / wg, blue], -1)


def doubled(plane, size):
    return plane.repeat(2, 0).repeat(2, 1)[: size[0], : size[1]]


def mean_of_four(plane):
    plane = np.pad(plane, ((0, plane.shape[0] % 2), (0, plane.shape[1] % 2)), mode="edge")
    return plane.reshape(plane.shape[0] // 2, 2, plane.shape[1] // 2, 2).mean((1, 3))


def random_rgb(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def noise(size, space=ColorSpace(), depth=8, seed=0) -> Yuv420:  # noqa: B008 - frozen
    rng = np.random.default_rng(seed)
    kind, top = (np.uint8, 256) if depth == 8 else (np.uint16, 1024)
    half = (size[0] + 1) // 2, (size[1] + 1) // 2
    y, u, v = (rng.integers(0, top, shape, kind) for shape in (size, half, half))
    return Yuv420(y, u, v, space, depth)
