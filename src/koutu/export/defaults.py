"""What exports, gates and int8 files are held to, and tried on, if nothing else is said."""

from dataclasses import dataclass
from pathlib import Path

FRAMES = 60  # of a clip for the parity check, at least; a shorter clip is looped
TOLERANCE = 0.5  # thousandths of alpha that int8 may cost
ALLOWED = 0.05  # by which the gate may make a made scene's error worse, on average


@dataclass(frozen=True)
class SceneSources:
    """Packs that scenes are made of, how many of how many frames, and which groups training left out (1 in …)."""

    people: Path
    backgrounds: Path
    scenes: int = 32
    frames: int = 24
    held_out: int = 50
    seed: int = 0
