"""A foreground put over another background, I = αF + (1 − α)B, on RGB or straight on Y'CbCr planes.

Y'CbCr is an affine map of R'G'B', so blending its planes, 4:2:0's chroma with the mean alpha of its 2×2 pixels, is the
same as blending in RGB, at half the work and without the conversions.
"""

from fractions import Fraction
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import chroma_weight, halve, rgb_to_yuv, rgb_to_yuv_matrix, shrink
from koutu.sparse import RUN, STRIP, Rim, rim_of
from koutu.types import Alpha, AnyYuv, ColorSpace, Frame, Picture, Yuv, Yuv420, Yuv444, picture_size

Fit: TypeAlias = Literal["cover", "contain", "stretch"]
HIDDEN = 2  # of 255: what so faint an alpha leaves of a picture is a codec's noise


def replace(foreground: Picture, alpha: Alpha, background: Picture) -> Picture:
    """αF + (1 − α)B, within one level, exact where alpha is 0 or 255. Both pictures of one kind, size, space, depth."""
    require_alike(foreground, alpha, background)
    if isinstance(foreground, Yuv) and isinstance(background, Yuv):
        half = chroma_weight(foreground, alpha)
        y = blend(foreground.y, alpha, background.y)
        u, v = blend(foreground.u, half, background.u), blend(foreground.v, half, background.v)
        return foreground.with_planes(y, u, v)
    assert not isinstance(foreground, Yuv) and not isinstance(background, Yuv)
    return blend(foreground, alpha, background)


def matte_picture(alpha: Alpha, space: ColorSpace | None = None, depth: int = 8) -> Yuv420:
    """Alpha as a grey picture: 0 is the space's black, 255 its white. `space` is BT.709 limited range if not given."""
    space = space or ColorSpace()
    matrix = rgb_to_yuv_matrix(space, depth)
    levels = np.rint(np.arange(256) * matrix[0, :3].sum() + matrix[0, 3]).astype(_kind(depth))
    half = (alpha.shape[0] + 1) // 2, (alpha.shape[1] + 1) // 2
    grey = np.full((2, *half), round(matrix[1, 3]), _kind(depth))
    return Yuv420(cv2.LUT(alpha, levels), grey[0], grey[1], space, depth)


def solid(size: tuple[int, int], rgb: tuple[int, int, int], space: ColorSpace | None = None, depth: int = 8) -> Yuv420:
    """A picture of `size` (H, W) in one colour."""
    pixel = rgb_to_yuv(np.array([[rgb]], np.uint8), space, depth)
    half = (size[0] + 1) // 2, (size[1] + 1) // 2
    shapes = (pixel.y, size), (pixel.u, half), (pixel.v, half)
    y, u, v = (np.full(shape, plane[0, 0]) for plane, shape in shapes)
    return Yuv420(y, u, v, pixel.space, depth)


def solid_like(picture: AnyYuv, rgb: tuple[int, int, int]) -> AnyYuv:
    """A picture in one colour, of the size and kind of another."""
    pixel = rgb_to_yuv(np.array([[rgb]], np.uint8), picture.space, picture.depth)
    planes = (picture.y, pixel.y), (picture.u, pixel.u), (picture.v, pixel.v)
    y, u, v = (np.full_like(plane, level[0, 0]) for plane, level in planes)
    return picture.with_planes(y, u, v)


def without_background(picture: Picture, alpha: Alpha) -> Picture:
    """The picture with black where alpha is 0, so that a file with alpha does not carry the room along unseen."""
    # Two pixels are kept around the matte: chroma is shared by 2×2, JPEG and whoever scales mix neighbours.
    seen = np.asarray(cv2.dilate(cv2.inRange(alpha, 1, 255), np.ones((5, 5), np.uint8)))
    if not isinstance(picture, Yuv):
        return np.asarray(cv2.bitwise_and(picture, picture, mask=seen))
    return replace(picture, seen, solid_like(picture, (0, 0, 0)))


def multiplied(picture: Picture, alpha: Alpha) -> Picture:
    """The picture's colours multiplied by alpha, which is what it looks like on black."""
    if not isinstance(picture, Yuv):
        return replace(picture, alpha, np.zeros_like(picture))
    return replace(picture, alpha, solid_like(picture, (0, 0, 0)))


def with_alpha_of(frame: Frame, alpha: Alpha) -> Alpha:
    """Alpha times the frame's own: what was cut away stays away."""
    return alpha if frame.alpha is None else np.asarray(cv2.multiply(alpha, frame.alpha, scale=1 / 255))


def hide(picture: Picture, alpha: Alpha) -> Picture:
    """The picture in white where its own alpha hides it: neither networks nor outputs get to see what is below."""
    if not isinstance(picture, Yuv):
        return np.where(cv2.inRange(alpha, HIDDEN + 1, 255)[..., None] > 0, picture, np.uint8(255))
    return hide_planes(picture, alpha)


def hide_planes(picture: AnyYuv, alpha: Alpha) -> AnyYuv:
    """As `hide`."""
    seen = cv2.inRange(alpha, HIDDEN + 1, 255)
    white = solid((1, 1), (255, 255, 255), picture.space, picture.depth)
    shared = chroma_weight(picture, seen)
    planes = (picture.y, seen, white.y), (picture.u, shared, white.u), (picture.v, shared, white.v)
    y, u, v = (np.where(mask > 0, plane, below) for plane, mask, below in planes)
    return picture.with_planes(y, u, v)


def side_by_side(left: Yuv, right: Yuv) -> Yuv:
    """Both pictures in one, of the same height, space and depth; an odd left width gets its last column twice."""
    if (left.size[0], left.space, left.depth, type(left)) != (right.size[0], right.space, right.depth, type(right)):
        raise ValueError(
            f"expected two pictures of one height, space and depth, got {_layout(left)} and {_layout(right)}; "
            "fit and convert one of them first (koutu.composite.fit, koutu.color)"
        )
    pairs = (left.y, right.y), (left.u, right.u), (left.v, right.v)
    odd = left.size[1] % 2 == 1
    y, u, v = (np.hstack([a, a[:, -1:], b]) if odd and a.shape == left.size else np.hstack([a, b]) for a, b in pairs)
    return left.with_planes(y, u, v)


def blur(picture: Picture, alpha: Alpha, strength: float = 10) -> Picture:
    """The background blurred without the person's colours in it: each pixel counts 1 − α (normalised convolution).

    strength: the blur's width (4σ) in per cent of the picture's shorter side, above 0, at most 100.
    """
    require_alpha(picture, alpha)
    if not 0 < strength <= 100:
        raise ValueError(f"expected a blur strength above 0, at most 100 (% of the shorter side), got {strength}")
    short = min(picture_size(picture))
    sigma = strength / 400 * short
    reach = 2 * (short // 180) + 1  # mattes end a little inside the person: keep off that rim
    weight = cv2.bitwise_not(cv2.dilate(alpha, np.ones((reach, reach), np.uint8)))
    if not isinstance(picture, Yuv):
        return _weighted_blur(picture, weight, sigma)
    half, width = chroma_weight(picture, weight), sigma if isinstance(picture, Yuv444) else sigma / 2
    u, v = _weighted_blur(picture.u, half, width), _weighted_blur(picture.v, half, width)
    return picture.with_planes(_weighted_blur(picture.y, weight, sigma), u, v)


def fit(picture: Picture, size: tuple[int, int], how: Fit = "cover", aspect: Fraction = Fraction(1)) -> Picture:
    """The picture at `size` (H, W): "cover" cuts off what is over, "contain" adds black, "stretch" distorts.

    aspect: how much wider one of its pixels is shown than one of those it is fitted to.
    """
    if how not in ("cover", "contain", "stretch"):
        raise ValueError(f'expected "cover", "contain" or "stretch", got {how!r}; name one of them')
    if picture_size(picture) == size and (aspect == 1 or how == "stretch"):
        return picture
    take, put = _windows(picture_size(picture), size, how, float(aspect))
    if not isinstance(picture, Yuv):
        return _placed(picture, take, put, size, 0)
    black = solid((1, 1), (0, 0, 0), picture.space, picture.depth)
    y = _placed(picture.y, take, put, size, int(black.y[0, 0]))
    if not isinstance(picture, Yuv444):
        take, put, size = _halved(take), _halved(put), ((size[0] + 1) // 2, (size[1] + 1) // 2)
    grey = int(black.u[0, 0])
    u, v = _placed(picture.u, take, put, size, grey), _placed(picture.v, take, put, size, grey)
    return picture.with_planes(y, u, v)


def require_alike(foreground: Picture, alpha: Alpha, background: Picture) -> None:
    """Raise ValueError unless alpha is the foreground's and both pictures are laid out alike."""
    require_alpha(foreground, alpha)
    if _layout(foreground) != _layout(background):
        raise ValueError(
            f"expected a background laid out as the foreground, {_layout(foreground)}, got {_layout(background)}; "
            "fit and convert it first (koutu.composite.fit, koutu.color)"
        )


def require_alpha(picture: Picture, alpha: Alpha) -> None:
    """Raise ValueError unless alpha is (H, W) uint8 of the picture's size."""
    if alpha.dtype != np.uint8 or alpha.shape != picture_size(picture):
        raise ValueError(
            f"expected an alpha of the picture's size {picture_size(picture)} and of uint8, got {alpha.shape} of "
            f"{alpha.dtype}; scale it to the picture and to 0…255"
        )


_Window: TypeAlias = tuple[int, int, int, int]  # top, left, height, width; top and left are even, as chroma needs


def blend(front: NDArray, alpha: Alpha, back: NDArray) -> NDArray:
    """One plane (H, W) or (H, W, C) put over another, `replace` without its checks; untouched where alpha is 0."""
    rim = rim_of(alpha)
    if rim is not None:
        return mixed(front, alpha, back, rim)
    weight, rest = (weight_like(x, back) for x in (alpha, cv2.bitwise_not(alpha)))
    return np.asarray(cv2.add(cv2.multiply(front, weight, scale=1 / 255), cv2.multiply(back, rest, scale=1 / 255)))


def mixed(front: NDArray, alpha: Alpha, back: NDArray, rim: Rim, own: NDArray | None = None) -> NDArray:
    """As `blend`, with the rim of alpha, and what is in front there if it is not `front`."""
    whole = np.empty_like(back)
    for top in range(0, len(back), STRIP):
        strip = slice(top, top + STRIP)
        whole[strip] = back[strip]
        cv2.copyTo(front[strip], cv2.inRange(alpha[strip], 255, 255), dst=whole[strip])
    shape = (-1, *back.shape[2:])
    front, back, pixels = front.reshape(shape), back.reshape(shape), whole.reshape(shape)
    for start, run in zip(range(0, len(rim.at), RUN), rim.runs(), strict=True):
        weight, rest = (weight_like(x[None], back[None]) for x in (run.alpha, cv2.bitwise_not(run.alpha).reshape(-1)))
        seen = (front.take(run.at, 0) if own is None else own[start : start + RUN])[None]
        shown = cv2.multiply(seen, weight, scale=1 / 255)
        kept = cv2.multiply(back.take(run.at, 0)[None], rest, scale=1 / 255)
        pixels[run.at] = cv2.add(shown, kept)[0]
    return whole


def weight_like(weight: NDArray, plane: NDArray) -> NDArray:
    """A weight (H, W) with the plane's number type and channels: cv2 multiplies equals fast."""
    weight = weight.astype(plane.dtype, copy=False)
    return weight if plane.ndim == 2 else cv2.merge([weight] * plane.shape[2])


def _weighted_blur(plane: NDArray, weight: NDArray, sigma: float) -> NDArray:
    """Blurred plane · weight over blurred weight, worked out where sigma is two to four cells."""
    product, cells = cv2.multiply(plane, weight_like(weight, plane), scale=1 / 255), weight
    while sigma >= 4 and min(cells.shape) > 1:
        product, cells, sigma = halve(product), halve(cells), sigma / 2
    total, share = (cv2.GaussianBlur(x.astype(np.float32), (0, 0), sigma) for x in (product, cells / np.float32(255)))
    if plane.ndim == 3:
        share = share[..., None]
    if share.max() == 0:
        return plane.copy()  # the person fills the picture
    total += total.mean((0, 1)) / share.mean() / 255  # the mean background where the person hides all there is
    low = np.rint(total / (share + np.float32(1 / 255))).astype(plane.dtype)
    return cv2.resize(low, plane.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _windows(source: tuple[int, int], target: tuple[int, int], how: Fit, aspect: float) -> tuple[_Window, _Window]:
    """The part to take of the source and where it goes in the target."""
    take, put = list(source), list(target)
    wide = 1.0, aspect  # of a source's pixel, in the target's
    ratios = [target[axis] / (source[axis] * wide[axis]) for axis in (0, 1)]
    for axis in (0, 1):
        if how == "cover":
            take[axis] = min(source[axis], max(1, round(target[axis] / max(ratios) / wide[axis])))
        if how == "contain":
            put[axis] = min(target[axis], max(1, round(source[axis] * wide[axis] * min(ratios))))
    corners = [(whole - part) // 2 & -2 for whole, part in zip((*source, *target), (*take, *put), strict=True)]
    return (corners[0], corners[1], take[0], take[1]), (corners[2], corners[3], put[0], put[1])


def _halved(window: _Window) -> _Window:
    top, left, height, width = window
    return top // 2, left // 2, (height + 1) // 2, (width + 1) // 2


def _placed(plane: NDArray, take: _Window, put: _Window, size: tuple[int, int], border: int) -> NDArray:
    """The window `take` of the plane scaled into the window `put` of a plane of `size`."""
    part = np.ascontiguousarray(plane[take[0] : take[0] + take[2], take[1] : take[1] + take[3]])
    scaled = shrink(part, (put[2], put[3]))
    if scaled.shape[:2] == size:
        return scaled
    whole = np.full((*size, *plane.shape[2:]), border, plane.dtype)
    whole[put[0] : put[0] + put[2], put[1] : put[1] + put[3]] = scaled
    return whole


def _layout(picture: Picture) -> str:
    height, width = picture_size(picture)
    if not isinstance(picture, Yuv):
        return f"RGB {width}×{height}"
    extent = "full" if picture.space.full_range else "limited"
    chroma = "4:4:4" if isinstance(picture, Yuv444) else "4:2:0"
    return f"YUV {chroma} {width}×{height} {picture.space.matrix} {extent} range {picture.depth} bit"


def _kind(depth: int) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if depth == 8 else np.uint16
