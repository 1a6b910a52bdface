"""The plate of a clip of `koutu data matte`: given or found, kept for the next run, and left to train with."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from koutu import __version__
from koutu.data.mattes.clip_frame import FrameStore
from koutu.data.mattes.clip_frames import ClipFrames, cut_between
from koutu.data.mattes.clip_plan import AUTO
from koutu.data.mattes.one import write_bytes, write_png
from koutu.data.mattes.teachers import Opinion
from koutu.files import folder
from koutu.matting.known_plate import LOOKED, Plate, found_plate, given_plate
from koutu.types import InputError, Rgb

PLATES = "plates"


def clip_plate(
    name: str,
    frames: ClipFrames,
    ask: Callable[[str, Rgb], Opinion],
    made_of: Callable[[str], bytes],
    given: str,
    store: FrameStore,
    out: Path,
) -> Plate:
    """The plate of a clip of one shot, also written to out/plates/NAME.png.

    ask: who is in a frame of that name; made_of: what the answer rests on. given: a file, or "auto" to find it. Raises
    InputError where there is none, or it is not this clip's.
    """
    shown = _spread(frames)
    photograph = None if given == AUTO else Path(given)
    content = photograph.read_bytes() if photograph else b""
    key = store.key(given, content, __version__, *(part for frame, rgb in shown for part in (rgb, made_of(frame))))
    file = store.root / "plate.npz"
    plate = _kept(file, key)
    if plate is None:
        pictures = [rgb for _, rgb in shown]
        masks = [ask(frame, rgb).suspected for frame, rgb in shown]
        plate = given_plate(photograph, pictures, masks, name) if photograph else found_plate(pictures, masks, name)
        _keep(file, key, plate)
    write_png(plate_file(out, name), plate.rgb)
    return plate


def plate_file(out: Path, name: str) -> Path:
    """Where the plate of a clip lies, to train with."""
    return out / PLATES / f"{name}.png"


def _spread(frames: ClipFrames) -> list[tuple[str, Rgb]]:
    """Frames spread over the clip; raises InputError at a cut."""
    wanted = set(np.linspace(0, frames.count - 1, min(LOOKED, frames.count)).round().astype(int).tolist())
    held: list[tuple[str, Rgb]] = []
    before = None
    for number, (name, rgb) in enumerate(frames):
        if before is not None and cut_between(before, rgb):
            raise InputError(
                f"{frames.path}: expected one shot before one background, got a cut at frame {name}; cut the clip "
                "there, or leave --plate out"
            )
        before = rgb
        if number in wanted:
            held.append((name, rgb))
    return held


def _kept(file: Path, key: str) -> Plate | None:
    try:
        with np.load(file) as held:
            return Plate(held["colours"], held["noise"], held["seen"]) if str(held["key"]) == key else None
    except (OSError, ValueError, KeyError):
        return None


def _keep(file: Path, key: str, plate: Plate) -> None:
    whole = io.BytesIO()
    np.savez_compressed(whole, colours=plate.colours, noise=plate.noise, seen=plate.seen, key=np.array(key))
    folder(file.parent)
    write_bytes(file, whole.getvalue())
