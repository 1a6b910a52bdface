"""What is measured, and how test sets are composed, if nothing else is said."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MeasureSettings:
    """What is measured beside the plain errors.

    perceptual: Gradient and Connectivity; video: dtSSD, flicker; recovery: clips again with a wrong memory, and with
    somebody who comes in (`koutu.evaluation.recovery`). looks: how often every network with a memory is shown the frame
    that it begins with, whoever made it; zoom: as of `koutu.matting.matter.Matter`. opinion: stills of koutu's networks
    get a second opinion, as `koutu image` gives it.
    """

    perceptual: bool = True
    video: bool = True
    foreground: bool = True
    trimap_radius: int = 25  # of trimaps made from the truth for networks that need one where the set has none
    recovery: bool = False
    looks: int = 2
    zoom: bool = True
    opinion: bool = True


@dataclass(frozen=True)
class SetRecipe:
    """frames: of a clip, 1 for stills; moves: layers glide; size: (H, W) of the canvas, or the cut-out's own."""

    seed: int = 0
    frames: int = 1
    cause: str = ""
    size: tuple[int, int] | None = None
    moves: bool = True
