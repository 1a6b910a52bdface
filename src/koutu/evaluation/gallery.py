"""Pictures of the worst cases: original, truth, prediction, error and composite side by side, the worst of all kept."""

import re
from pathlib import Path

import cv2
import numpy as np

from koutu.composite import replace
from koutu.data.sets.open import Example
from koutu.evaluation.measure import badness
from koutu.evaluation.result import ClipResult
from koutu.files import folder
from koutu.foreground import decontaminate
from koutu.types import Alpha, OutputError, Rgb

KEPT = 24  # of each network
HEIGHT = 240
NEW_BACKGROUND = (60, 140, 90)
PANELS = ("original", "truth", "prediction", "error", "on another background")


class Gallery:
    """Keeps the images of every network's worst clips in `root`/pictures, in bounded number."""

    def __init__(self, root: Path):
        self.root = root
        self.kept: dict[str, list[tuple[float, ClipResult]]] = {}

    def known(self, result: ClipResult) -> None:
        """A result of a run begun before, whose image is there already, unless a worse one took its place later."""
        if result.picture and not (self.root / result.picture).is_file():
            result.picture = ""
        if result.picture:
            self.kept.setdefault(result.model, []).append((badness(result.rows[result.worst]), result))

    def offer(self, result: ClipResult, example: Example, alpha: Alpha) -> None:
        """Write the image if the clip is among its network's worst; the least bad one makes room."""
        kept = self.kept.setdefault(result.model, [])
        bad = badness(result.rows[result.worst])
        if len(kept) >= KEPT:
            least = min(kept, key=lambda pair: pair[0])
            if least[0] >= bad:
                return
            (self.root / least[1].picture).unlink(missing_ok=True)
            least[1].picture = ""
            kept.remove(least)
        result.picture = f"pictures/{file_name(result.model)}/{file_name(result.clip)}.jpg"
        path = self.root / result.picture
        folder(path.parent)
        try:
            path.write_bytes(jpeg(strip(example, alpha)))
        except OSError as e:
            path.unlink(missing_ok=True)
            raise OutputError(f"{path} could not be written: {e.strerror}; make room, then go on") from e
        kept.append((bad, result))


def strip(example: Example, alpha: Alpha) -> Rgb:
    """The panels of `PANELS` side by side, `HEIGHT` pixels high; without a truth, without its two."""
    src = example.src
    assert src is not None
    other = np.broadcast_to(np.array(NEW_BACKGROUND, np.uint8), src.shape)
    composite = np.asarray(replace(decontaminate(src, alpha), alpha, np.ascontiguousarray(other)))
    panels = [src, _grey(alpha), composite]
    if example.pha is not None:
        true = np.rint(example.pha * 255).astype(np.uint8)
        panels = [src, _grey(true), _grey(alpha), _error(true, alpha), composite]
    scale = HEIGHT / src.shape[0]
    size = max(1, round(src.shape[1] * scale)), HEIGHT
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.hstack([cv2.resize(panel, size, interpolation=how) for panel in panels])


def jpeg(rgb: Rgb, quality: int = 82) -> bytes:
    """The bytes of a JPEG file."""
    return cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def file_name(text: str) -> str:
    """A clip's or network's name as part of a file's name."""
    return re.sub(r"[^\w.-]+", "_", text)[:80]


def _grey(alpha: Alpha) -> Rgb:
    return np.repeat(alpha[..., None], 3, axis=2)


def _error(true: Alpha, alpha: Alpha) -> Rgb:
    """Red where the prediction has too much, blue where it has too little, black where it is right."""
    difference = alpha.astype(np.int16) - true
    red, blue = np.clip(difference, 0, 255), np.clip(-difference, 0, 255)
    return np.dstack([red, np.minimum(red, blue), blue]).astype(np.uint8)
