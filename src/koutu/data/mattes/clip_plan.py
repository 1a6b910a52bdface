"""How clips are treated beside what holds for every image, if nothing else is said."""

from dataclasses import dataclass

AUTO = "auto"
SHORTEST = 8  # frames of a run that is kept


@dataclass(frozen=True)
class ClipPlan:
    """every: of so many frames one is taken. frames: at most so many of a clip, by taking one of more; 0 all.

    1 to SHORTEST − 1 frames are refused: no run of them would be kept.
    plate: a photograph of the background without anybody, "auto" to find it in each clip, "" to do without.
    """

    every: int = 1
    frames: int = 0
    plate: str = ""
