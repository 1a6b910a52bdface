"""What a user gives beside the frames, a trimap, a mask, an empty scene or clicks, as each network wants it."""

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import to_rgb
from koutu.matting.clicks import Click, mask_from_clicks
from koutu.matting.known_plate import Plate, whole_plate
from koutu.matting.plate import align
from koutu.media.background import Background, Moving, Still
from koutu.media.background_spec import make_background
from koutu.trimap import snapped, trimap_from_mask
from koutu.types import Alpha, Frame, InputError, ModelError

Given: TypeAlias = str | os.PathLike[str] | NDArray[Any] | None
AUTO = "auto"
_MASK_OF_TRIMAP = 170  # a trimap's level from which it counts as the person when a network wants a mask
_OPTIONS = {"bgr": "--plate", "trimap": "--trimap, --mask or --clicks", "mask": "--mask, --trimap or --clicks"}
_OPTIONS["seg"] = _OPTIONS["mask"]
_ANOTHER = "name a network that does with --model (closed-form, mgmatting …), or leave the hint out"


class Hints:
    """Called with a frame and what a network needs, gives its hints at the frame's size, each uint8.

    trimap, mask, plate: a picture, a video in step with the frames, or an array (H, W[, 3]) uint8; a mask or a trimap
    "auto" is what `guess` finds, a Matter of another network, once a frame. One stands for another where it can: a mask
    for a trimap (unknown within `radius` pixels of its edge, 2 % of the shorter side if not given), a trimap or clicks
    for a mask. A network that needs none obeys them (`koutu.matting.guided`). The plate is aligned with each frame
    unless `fixed`; it may be a `Plate` of which not all is known, or "auto", which `convert` finds in the clip. Sizes
    that differ from the frame's are stretched.
    """

    def __init__(
        self,
        *,
        trimap: Given = None,
        mask: Given = None,
        plate: Given | Plate = None,
        clicks: Sequence[Click] = (),
        radius: int | None = None,
        fixed: bool = False,
        guess: Callable[[Frame], Any] | None = None,
    ):
        self._auto_mask, self._auto_trimap = (isinstance(x, str) and x == AUTO for x in (mask, trimap))
        if (self._auto_mask or self._auto_trimap) and guess is None:
            raise ModelError('a hint "auto" needs a network that guesses it, got none; pass guess=Matter(load())')
        self._mask = None if self._auto_mask else _opened(mask)
        self._trimap = None if self._auto_trimap else _opened(trimap)
        self.said = _said(plate)  # what changes with the plate
        self.seeks_plate = isinstance(plate, str | os.PathLike) and os.fspath(plate) == AUTO
        self._known = plate if isinstance(plate, Plate) else None
        self._plate = None if self.seeks_plate or isinstance(plate, Plate) else _opened(plate, raw=False)
        self.clicks, self.radius, self.fixed, self._guess = tuple(clicks), radius, fixed, guess
        self._guessed: tuple[Frame, Alpha] | None = None

    def __call__(self, frame: Frame, needs: Sequence[str], name: str = "the network") -> dict[str, NDArray[Any]]:
        """The hints a network needs for this frame; raises ModelError saying which one is missing."""
        makers = {"bgr": self._bgr, "trimap": self._trimap_of, "mask": self._mask_of, "seg": self._seg_of}
        hints = {}
        for need in needs:
            hint = makers[need](frame)
            if hint is None:
                raise ModelError(f"{name} needs {_WHAT[need]}, got none; give {_OPTIONS[need]}")
            hints[need] = hint
        return hints

    def require_used(self, needs: Sequence[str], name: str, remedy: str = _ANOTHER) -> None:
        """Raise InputError for a trimap, a mask or clicks of which `name`, which has these needs, makes nothing."""
        trimap, mask = self._trimap is not None or self._auto_trimap, self._mask is not None or self._auto_mask
        given = {"a trimap": trimap, "a mask": mask, "clicks": bool(self.clicks)}
        if (said := [what for what, there in given.items() if there]) and not {"trimap", "mask", "seg"} & set(needs):
            raise InputError(
                f"expected no hint of who is where, of which {name} makes nothing, got {' and '.join(said)}; {remedy}"
            )

    @property
    def guide(self) -> str:
        """What tells who is wanted, in a word: "trimap", "mask" or "clicks"; "" if nothing does."""
        if self._trimap is not None or self._auto_trimap:
            return "trimap"
        return "mask" if self._mask is not None or self._auto_mask else "clicks" if self.clicks else ""

    @property
    def guessed(self) -> bool:
        """Whether another network is to guess it."""
        return self._auto_trimap or self._auto_mask

    @property
    def guide_moves(self) -> bool:
        """Whether it goes along with the frames; else it is of the first one."""
        return isinstance(self._trimap or self._mask, Moving)

    @property
    def guide_size(self) -> tuple[int, int] | None:
        """(H, W) of its own picture, None of a video and of what is made for the frame."""
        source = self._trimap or self._mask
        return (source.rgb.shape[0], source.rgb.shape[1]) if isinstance(source, Still) else None

    def guidance(self, frame: Frame) -> NDArray[Any]:
        """The trimap, or else the mask, of a frame at its size; there must be a guide."""
        found = self._trimap_of(frame) if self.guide == "trimap" else self._mask_of(frame)
        assert found is not None
        return found

    @property
    def has_plate(self) -> bool:
        """Whether a plate is given or was found."""
        return self._plate is not None or self._known is not None

    @property
    def plate_moves(self) -> bool:
        """Whether the plate is a video."""
        return isinstance(self._plate, Moving)

    def found(self, plate: Plate | None) -> None:
        """The plate that was sought, or None where there is none."""
        self._known, self.seeks_plate = plate, False

    def plate(self, frame: Frame, size: tuple[int, int]) -> Plate:
        """The plate for a frame, at a size (h, w); there must be one."""
        if self._known is not None:
            return self._known.resized(size)
        assert self._plate is not None
        return whole_plate(_shown(self._plate, frame)).resized(size)

    def close(self) -> None:
        """Release the files that are open."""
        for source in (self._trimap, self._mask, self._plate):
            if source is not None:
                source.close()

    def _bgr(self, frame: Frame) -> NDArray[Any] | None:
        if self._known is not None:
            plate = self._known.resized(frame.size).rgb
        elif self._plate is not None:
            plate = _shown(self._plate, frame)
        else:
            return None
        rgb = to_rgb(frame.picture, frame.size)
        return plate if self.fixed else align(plate, rgb)

    def _guess_of(self, frame: Frame) -> Alpha:
        if self._guessed is None or self._guessed[0] is not frame:
            assert self._guess is not None
            self._guessed = frame, self._guess(frame).alpha
        return self._guessed[1]

    def _trimap_of(self, frame: Frame) -> NDArray[Any] | None:
        if self._auto_trimap:
            return snapped(self._guess_of(frame))
        if self._trimap is not None:
            return snapped(_shown(self._trimap, frame)[..., 1])
        mask = self._mask_of(frame)
        if mask is None:
            return None
        radius = self.radius if self.radius is not None else max(2, round(0.02 * min(frame.size)))
        return trimap_from_mask(mask, radius)

    def _seg_of(self, frame: Frame) -> NDArray[Any] | None:
        """The mask with doubt around its edge, as Background Matting's inference prepares a segmentation of 512²."""
        mask = self._mask_of(frame)
        if mask is None:
            return None
        scale = max(frame.size) / 512
        inner, outer, blur = (2 * max(1, round(r * scale)) + 1 for r in (10, 10, 15))
        mask = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (inner, inner)))
        mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (outer, outer)))
        return np.asarray(cv2.GaussianBlur(mask, (blur, blur), 0))

    def _mask_of(self, frame: Frame) -> NDArray[Any] | None:
        if self._auto_mask:
            return self._guess_of(frame)
        if self._mask is not None:
            return np.ascontiguousarray(_shown(self._mask, frame)[..., 1])
        if self._trimap is not None or self._auto_trimap:
            trimap = self._guess_of(frame) if self._trimap is None else _shown(self._trimap, frame)[..., 1]
            return np.where(trimap >= _MASK_OF_TRIMAP, 255, 0).astype(np.uint8)
        if self.clicks:
            return mask_from_clicks(to_rgb(frame.picture, frame.size), self.clicks)
        return None


_WHAT = {
    "bgr": "a photograph of the scene without anybody",
    "trimap": "a trimap",
    "mask": "a mask",
    "seg": "a mask of the person",
}


def _said(plate: Given | Plate) -> str:
    if isinstance(plate, str | os.PathLike):
        return f"{plate} {os.stat(plate).st_mtime_ns if os.path.isfile(plate) else 0}"
    if plate is None:
        return ""
    return hashlib.sha256((plate.rgb if isinstance(plate, Plate) else plate).tobytes()).hexdigest()


def _opened(given: Given, *, raw: bool = True) -> Background | None:
    if given is None:
        return None
    if isinstance(given, np.ndarray) and given.ndim == 2:
        given = np.repeat(given[..., None], 3, axis=2)
    if isinstance(given, str | os.PathLike) and not os.path.isfile(given):
        raise InputError(f"{given}: expected an image or a video as hint, found no such file; check the path")
    return make_background(given, fit="stretch", loop=False, raw=raw)


def _shown(source: Background, frame: Frame) -> NDArray[Any]:
    """The hint's picture (H, W, 3) for this frame, at its size."""
    nothing: Alpha = np.zeros((1, 1), np.uint8)
    height, width = frame.size
    like = Frame(np.empty((height, width, 3), np.uint8), frame.pts, frame.time_base, viewing=frame.viewing)
    return np.asarray(source(like, nothing))
