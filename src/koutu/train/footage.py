"""Real clips without truth, each with a photograph of its place without anybody, read before a training starts.

Background Matting's second stage (Sengupta et al., CVPR 2020) learns from these: frames, the photograph, and a rough
mask from any network that needs images only.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import to_rgb
from koutu.data.packs.pack import Entry, Pack, write_pack
from koutu.data.sets.tree import VIDEOS, natural
from koutu.matting.matter import Matter
from koutu.matting.plate import align
from koutu.media.image import is_image, read_image
from koutu.media.reader import open_video
from koutu.train.recipe import Footage
from koutu.types import InputError, Rgb
from koutu.zoo import DEFAULT, load_named

_SUFFIX = "_plate"
_CHECKED = 8  # frames a clip, that the photograph is compared with
_UNLIKE = 40.0  # mean difference outside the person, of 255: another place, or other lamps
_SOMEBODY = 0.005  # of a frame
_ASPECT = 0.02  # that a photograph's sides may be off by


def footage_pack(given: Footage, folder: Path) -> Path:
    """The pack of a recipe's clips in `folder`, made if it is not there: of each clip its photograph, then its frames.

    Frames are RGBA, A the rough mask; all of a clip have its path as group. Raises InputError for a clip or photograph
    that cannot be used, ModelError for the network of the masks.
    """
    pairs = clips_and_plates(given)
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for pair in pairs for path in pair]
    path = folder / f"footage-{hashlib.sha256(repr((given, files)).encode()).hexdigest()[:8]}"
    if not path.with_suffix(".json").is_file():
        path.with_suffix(".bin").unlink(missing_ok=True)  # of a run that was killed
        write_pack(path, _entries(pairs, given))
    return path


def clips_and_plates(given: Footage) -> list[tuple[Path, Path]]:
    """Every clip with its photograph. Raises InputError."""
    if given.folder and (given.clips or given.plates):
        raise InputError("expected footage of a folder, or clips with plates, got both; leave one out")
    if given.folder:
        return _of_folder(Path(given.folder))
    if len(given.clips) != len(given.plates):
        raise InputError(
            f"expected a plate for every clip, got {len(given.clips)} clips and {len(given.plates)} plates; pair them"
        )
    pairs = [(Path(clip), Path(plate)) for clip, plate in zip(given.clips, given.plates, strict=True)]
    for clip, plate in pairs:
        if not clip.exists() or not plate.is_file():
            missing = plate if clip.exists() else clip
            raise InputError(f"{missing}: expected a part of the footage there, found none; check the path")
    return pairs


def _of_folder(folder: Path) -> list[tuple[Path, Path]]:
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of clips, found none; check the path")
    held = sorted(folder.iterdir(), key=lambda path: natural(path.name))
    plates = {p.stem.removesuffix(_SUFFIX): p for p in held if p.is_file() and p.stem.endswith(_SUFFIX)}
    clips = [p for p in held if (p.is_dir() and not p.name.startswith(".")) or p.suffix.lower() in VIDEOS]
    names = [clip.name if clip.is_dir() else clip.stem for clip in clips]
    lonely = sorted({*names} ^ {*plates})
    if lonely or not clips or len(set(names)) < len(names):
        came = f"only one of the two for {', '.join(lonely)}" if lonely else f"{len(clips)} clips, {len(plates)} plates"
        raise InputError(
            f"{folder}: expected clips NAME.mp4, or NAME/ of images, each beside NAME{_SUFFIX}.png, got {came}; "
            "name them so"
        )
    return [(clip, plates[name]) for clip, name in zip(clips, names, strict=True)]


def _entries(pairs: Sequence[tuple[Path, Path]], given: Footage) -> Iterator[tuple[Entry, NDArray[Any]]]:
    backend = load_named(given.segmentation or DEFAULT, threads=1)
    if backend.needs:
        raise InputError(f"expected a segmentation that needs images only, got {backend.name}; name another network")
    matter = Matter(backend)
    for number, (clip, path) in enumerate(pairs):
        frames = _frames(clip, given)
        plate = _plate(path, clip, frames[0].shape[:2])
        masks = [_mask(matter, rgb) for rgb in frames]
        _require_use(clip, path, plate, list(zip(frames, masks, strict=True)), given)
        pictures = [plate, *(np.dstack(pair) for pair in zip(frames, masks, strict=True))]
        for i, picture in enumerate(pictures):
            height, width, channels = picture.shape
            yield Entry(f"{number}/{i}", "footage", str(clip), False, height, width, channels), picture


def _mask(matter: Matter, rgb: Rgb) -> NDArray[Any]:
    matter.reset()  # frames of a clip are far apart
    return matter(rgb).alpha


def _frames(clip: Path, given: Footage) -> list[Rgb]:
    """At most `frames` frames, spread evenly, the shorter side at most `side`."""
    if clip.is_dir():
        paths = [p for p in sorted(clip.iterdir(), key=lambda path: natural(path.name)) if is_image(p)]
        frames = [_shrunk(read_image(paths[i]), given.side) for i in _spread(len(paths), given.frames)]
    else:
        frames = _of_video(clip, given)
    if not frames:
        raise InputError(f"{clip}: expected images in the folder, found none; check the path")
    if len({rgb.shape for rgb in frames}) > 1:
        raise InputError(f"{clip}: expected images of one size, got several; make a folder of each")
    return frames


def _of_video(clip: Path, given: Footage) -> list[Rgb]:
    kept: list[Rgb] = []
    every = 1
    with open_video(clip) as reader:
        for index, frame in enumerate(reader):
            if index % every == 0:
                kept.append(_shrunk(to_rgb(frame.picture, frame.size), given.side))
            if len(kept) >= 2 * given.frames:  # how long a file says it is may be wrong
                kept, every = kept[::2], 2 * every
        if reader.lost:
            raise InputError(f"{clip}: expected a whole clip, got {reader.lost}; repair it or leave it out")
    return [kept[i] for i in _spread(len(kept), given.frames)]


def _spread(count: int, wanted: int) -> list[int]:
    return np.unique(np.linspace(0, max(0, count - 1), min(count, wanted)).round().astype(int)).tolist()


def _shrunk(rgb: Rgb, side: int) -> Rgb:
    scale = side / min(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))


def _plate(path: Path, clip: Path, size: tuple[int, int]) -> Rgb:
    plate = read_image(path)
    came, wanted = plate.shape[1] / plate.shape[0], size[1] / size[0]
    if abs(came / wanted - 1) > _ASPECT:
        raise InputError(
            f"{path}: expected sides as {clip.name} has them ({size[1]}×{size[0]}), got {plate.shape[1]}×"
            f"{plate.shape[0]}; take the plate with the same camera, or crop it alike"
        )
    how = cv2.INTER_AREA if plate.shape[0] > size[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plate, size[::-1], interpolation=how))


def _require_use(clip: Path, path: Path, plate: Rgb, shown: list[tuple[Rgb, NDArray[Any]]], given: Footage) -> None:
    if max(float((mask > 127).mean()) for _, mask in shown) < _SOMEBODY:
        raise InputError(f"{clip}: expected a person, the segmentation found nobody; name another network or clip")
    away = float(np.median([_difference(plate, *shown[i], given) for i in _spread(len(shown), _CHECKED)]))
    if away > _UNLIKE:
        raise InputError(
            f"{path}: expected the place of {clip.name} without anybody, got an image that differs by {away:.0f} of "
            "255 outside the person; take it from the same place under the same light"
        )


def _difference(plate: Rgb, rgb: Rgb, mask: NDArray[Any], given: Footage) -> float:
    grown = cv2.dilate(mask, np.ones((2 * (min(mask.shape) // 20) + 1,) * 2, np.uint8))
    outside = grown < 20
    near = align(plate, rgb) if given.align else plate
    return float(cv2.absdiff(near, rgb)[outside].mean()) if outside.any() else 0.0


class FootageClips:
    """The clips of a pack that `footage_pack` made: (photograph, frames) as they lie in it."""

    def __init__(self, path: Path):
        self.pack = Pack(path)
        self.held: list[tuple[int, list[int]]] = []
        for i, entry in enumerate(self.pack.entries):
            if entry.channels == 3:
                self.held.append((i, []))
            else:
                self.held[-1][1].append(i)
