"""A matte, and the pictures that can be made of it."""

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from koutu.color import to_rgb
from koutu.composite import Fit, without_background
from koutu.composite import replace as put_over
from koutu.foreground import decontaminate
from koutu.media.background import Background, Transparent
from koutu.media.background_spec import Spec, make_background
from koutu.types import Alpha, Frame, InputError, Rgb

SURE = 128  # of 255: what counts as somebody when a matte is told in words
PREVIEW = 480  # pixels of the longer side that a notebook shows


@dataclass(frozen=True, slots=True, repr=False)
class Matte:
    """A frame with its alpha (H, W) uint8, at the frame's own size. `fresh`: the memory was empty before it.

    foreground: the person's own colours where the network gives them. low: a gate left the frame to the network's
    low-resolution branch. found: what the network found, where alpha is less: by the frame's own, or people left out.
    repeated: the frame shows what the one before did, and was not matted anew.
    """

    frame: Frame
    alpha: Alpha
    fresh: bool = False
    foreground: Rgb | None = None
    low: bool = False
    found: Alpha | None = None
    repeated: bool = False

    def __repr__(self) -> str:
        height, width = self.alpha.shape
        share = 100 * np.count_nonzero(self.alpha >= SURE) / max(1, self.alpha.size)
        notes = "".join(f", {name}" for name in ("fresh", "low", "repeated") if getattr(self, name))
        return f"Matte({width}×{height} at {float(self.frame.seconds):.3f} s, {share:.0f} % person{notes})"

    @property
    def mixed(self) -> Alpha:
        """(H, W): how much of each pixel's colour is the person's, and not light of what is behind."""
        return self.alpha if self.found is None else self.found

    @property
    def colours(self) -> Rgb:
        """The person's own colours (H, W, 3), the old background's light taken out of the rim."""
        if self.foreground is not None:
            return self.foreground
        return decontaminate(to_rgb(self.frame.picture), self.mixed)  # type: ignore[return-value]

    def cutout(self) -> Image.Image:
        """The person alone, RGBA with straight alpha; nothing of the room is left under alpha 0."""
        alone = without_background(self.colours, self.alpha)
        assert isinstance(alone, np.ndarray)
        return Image.fromarray(np.dstack([alone, self.alpha]))

    def composite(self, background: Spec | Background, *, fit: Fit = "cover") -> Image.Image:
        """The person before a background, RGB: a colour, "blur", a file, a picture as array or of Pillow.

        A `Background`, of `koutu.make_background`, stays open, for frames that follow. Raises InputError.
        """
        if not isinstance(background, Background):
            with make_background(background, fit=fit) as behind:
                return self.composite(behind)
        if isinstance(background, Transparent):
            raise InputError("expected a background that is seen, got transparent; call cutout() for the person alone")
        behind = background(replace(self.frame, picture=to_rgb(self.frame.picture)), self.alpha)
        return Image.fromarray(put_over(self.colours, self.alpha, behind))  # type: ignore[arg-type]

    def mask(self) -> Image.Image:
        """Alpha as a grey picture."""
        return Image.fromarray(self.alpha)

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the person alone, small."""
        picture, file = self.cutout(), io.BytesIO()
        picture.thumbnail((PREVIEW, PREVIEW))
        picture.save(file, "PNG")
        return file.getvalue()
