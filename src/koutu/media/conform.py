"""Pictures of one size, space and light as those of another: what goes behind a frame, and frames that change."""

from koutu.color import rgb_to_planes, to_rgb
from koutu.composite import Fit, fit
from koutu.media.light import relit, same_light
from koutu.types import Frame, Picture, Planes, Viewing, Yuv


def planes_of(picture: Picture) -> Planes | None:
    """What kind of planar picture it is; None: RGB."""
    return Planes(picture.space, picture.depth, type(picture)) if isinstance(picture, Yuv) else None


def conformed(
    frame: Frame, size: tuple[int, int], planes: Planes | None, viewing: Viewing, how: Fit, *, raw: bool = False
) -> Picture:
    """The frame's picture at `size` (H, W), shown in its own shape, and of that kind and light; raw: light as it is."""
    picture = fit(frame.picture, size, how, frame.viewing.pixel_aspect / viewing.pixel_aspect)
    if not raw and not same_light(frame.viewing, viewing):
        return relit(picture, frame.viewing, viewing, planes)
    if planes == planes_of(picture):
        return picture
    return to_rgb(picture) if planes is None else rgb_to_planes(to_rgb(picture), planes)
