"""One frame of a clip: found and solved by itself, kept so that no run does it twice, and judged once it is steady."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.classical import Method
from koutu.data.mattes.checks import Limits, doubtfulness, faults, measured, spots
from koutu.data.mattes.one import RECORDS, write_bytes, write_json
from koutu.data.mattes.plate_matte import difference, matte_before_plate
from koutu.data.mattes.soft_matte import Solved, solved_matte
from koutu.data.mattes.teachers import Opinion, in_dispute
from koutu.files import folder
from koutu.matting.known_plate import Plate, fitted_plate
from koutu.types import Alpha, InputError, Rgb

EMPTY = "empty"  # nobody is there
_SOMEBODY = 0.002  # of the frame, from which a mask or a difference may be somebody
_AGREED = 0.6  # of person and mask, at least: else the plate contradicts it
_ELSE = 0.05  # of the person, that may have changed in the background beside them
CONTRADICTED = 0.02  # of the person, that both neighbours may say otherwise
_NO_OVERLAP = 1.01  # colours of a known plate may be the person's too

Record = dict[str, Any]


@dataclass(frozen=True)
class SolvedFrame:
    """alpha, trimap, person: (H, W) uint8; person: 255 where the mask, confirmed by the plate, says so.

    reasons: why it cannot be believed. empty: nobody is there. noise: of what is known of the background, or None.
    disputed: as of `Measures`, None where not several networks were asked.
    """

    alpha: Alpha
    trimap: NDArray[np.uint8]
    person: NDArray[np.uint8]
    reasons: tuple[str, ...] = ()
    empty: bool = False
    noise: float | None = None
    disputed: float | None = None


def solved_frame(rgb: Rgb, opinion: Opinion, plate: Plate | None, method: Method) -> SolvedFrame:
    """A frame (H, W, 3) uint8 solved by what is said of who is in it, before its plate if that is known."""
    several = len(opinion.answers) > 1
    disputed = spots(in_dispute(opinion.answers), opinion.mask > 0.5) if several else None
    return replace(_solved(rgb, opinion.mask, plate, method), disputed=disputed)


def _solved(rgb: Rgb, mask: NDArray[np.float32], plate: Plate | None, method: Method) -> SolvedFrame:
    nothing = np.zeros(mask.shape, np.uint8)
    seen = float((mask > 0.5).mean())
    try:
        if plate is None:
            if seen < _SOMEBODY:
                return SolvedFrame(nothing, nothing, nothing, empty=True)
            solved = solved_matte(rgb, mask, method)
            return SolvedFrame(solved.alpha, solved.trimap, _levels(mask > 0.5), noise=solved.noise)
        fitted = fitted_plate(plate, rgb, mask)
        found = difference(rgb, mask, fitted)
        other = float(_thick(found.other).mean())
        if not found.person.any():
            known = seen < _SOMEBODY and other < _SOMEBODY
            why = () if known else ("something is there that mask and plate do not both call a person",)
            return SolvedFrame(nothing, nothing, nothing, why, empty=known)
        solved = matte_before_plate(rgb, found, fitted, method)
    except InputError as e:
        return SolvedFrame(nothing, nothing, _levels(mask > 0.5), (str(e),))
    reasons = []
    person, said = found.person, mask > 0.5
    agreed = float((person & said).sum()) / max(1.0, float((person | said).sum()))
    if agreed < _AGREED:
        reasons.append(f"mask and what differs from the plate agree to {agreed:.2f}, under {_AGREED:g}")
    if other > _ELSE * person.mean():
        reasons.append(f"beside the person {other / person.mean():.0%} of their area differs from the plate too")
    return SolvedFrame(solved.alpha, solved.trimap, _levels(person), tuple(reasons), noise=solved.noise)


def judged(rgb: Rgb, frame: SolvedFrame, alpha: Alpha, contradicted: float, plated: bool) -> Record:
    """Measures of the steadied alpha (H, W), and the reasons why it cannot be believed."""
    limits = replace(Limits(), overlap=_NO_OVERLAP) if plated else Limits()
    if frame.empty:
        return {"reasons": [], "doubt": 0.0}
    if not alpha.any():
        return {"reasons": [*frame.reasons] or ["nobody is left"], "doubt": 1.01}
    mask = (frame.person / 255).astype(np.float32)
    measures = measured(rgb, mask, Solved(frame.trimap, alpha, rgb, frame.noise))
    measures = replace(measures, disputed=frame.disputed)
    reasons = [*frame.reasons, *faults(measures, limits)]
    if contradicted > CONTRADICTED:
        reasons.append(f"the frames before and after both say otherwise in {contradicted:.1%} of the person")
    doubt = max(doubtfulness(measures, limits), contradicted / CONTRADICTED, 1.01 * bool(frame.reasons))
    told = {"contradicted": round(contradicted, 4), "noise": None if frame.noise is None else round(frame.noise, 4)}
    return {"reasons": reasons, "doubt": round(doubt, 4), **measures.as_dict(), **told}


class FrameStore:
    """What is known of a clip's frames so far, in files: OUT/.records/CLIP/FRAME.png and .json."""

    def __init__(self, out: Path, clip: str):
        self.root = out / RECORDS / clip

    def key(self, *parts: Any) -> str:
        """Changes with what a result was made from; images and texts."""
        digest = hashlib.sha256()
        for part in parts:
            digest.update(np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else str(part).encode())
        return digest.hexdigest()[:32]

    def solved(self, name: str, key: str) -> SolvedFrame | None:
        """A frame that was solved before, from the same."""
        told = self.record(name)
        planes = self.planes(name)
        if told.get("key") != key or planes is None:
            return None
        alpha, trimap, person, _ = planes
        return SolvedFrame(alpha, trimap, person, tuple(told["why"]), told["empty"], told["noise"], told["disputed"])

    def keep(self, name: str, key: str, frame: SolvedFrame) -> None:
        """Write what was solved; raises OutputError."""
        self._write(name, frame, frame.alpha)
        told = {"key": key, "why": list(frame.reasons), "empty": frame.empty, "noise": frame.noise}
        told["disputed"] = frame.disputed
        write_json(self.root / f"{name}.json", {**told, "written": self.record(name).get("written", {})})

    def finish(self, name: str, frame: SolvedFrame, steadied: Alpha, judgement: Record, joint: str) -> None:
        """Write what became of it beside its neighbours; joint: key of all three. Raises OutputError."""
        self._write(name, frame, steadied)
        write_json(self.root / f"{name}.json", {**self.record(name), "joint": joint, "judgement": judgement})

    def note(self, name: str, **facts: Any) -> None:
        """Add to a frame's record; raises OutputError."""
        write_json(self.root / f"{name}.json", {**self.record(name), **facts})

    def record(self, name: str) -> Record:
        """The frame's record; empty if there is none that can be read."""
        try:
            told = json.loads((self.root / f"{name}.json").read_text("utf-8"))
            return told if isinstance(told, dict) else {}
        except (OSError, ValueError):
            return {}

    def planes(self, name: str) -> list[Alpha] | None:
        """alpha, trimap, person and the steadied alpha, (H, W) uint8 each."""
        try:
            packed = np.frombuffer((self.root / f"{name}.png").read_bytes(), np.uint8)
        except OSError:
            return None
        picture = cv2.imdecode(packed, cv2.IMREAD_UNCHANGED) if packed.size else None
        if picture is None or picture.ndim != 3 or picture.shape[2] != 4:
            return None
        return [np.ascontiguousarray(picture[..., i]) for i in range(4)]

    def _write(self, name: str, frame: SolvedFrame, steadied: Alpha) -> None:
        folder(self.root)
        picture = np.dstack([frame.alpha, frame.trimap, frame.person, steadied])
        whole = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        write_bytes(self.root / f"{name}.png", whole.tobytes())


def _levels(person: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(person, 255, 0).astype(np.uint8)


def _thick(area: NDArray[np.bool_]) -> NDArray[Any]:
    """Without lines: an edge of the background that moved by a pixel is nobody."""
    side = max(3, round(0.008 * max(area.shape)))
    return np.asarray(cv2.morphologyEx(area.astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8)))
