"""The best mattes that can be had in any time: the clip is seen forward and backward before anything is written.

It goes window by window, each with some frames of its neighbours on both sides, so that memory does not grow with the
clip. The alphas of finished windows lie in a hidden folder beside the result until that is whole; the same command
finds them there after it was stopped, and goes on.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import cv2

from koutu import __version__
from koutu.color import to_rgb
from koutu.engines.backend import Backend
from koutu.engines.opinion import Opinion
from koutu.files import folder, whole_file
from koutu.matting.hints import Hints
from koutu.matting.matte import Matte
from koutu.matting.matter import alphas_of, plated_of
from koutu.matting.two_passes import STEPS, Found, TwoPasses
from koutu.media.pipe import is_pipe
from koutu.media.reader import VideoReader, open_video
from koutu.types import Frame, InputError, ModelError, OutputError
from koutu.zoo import load_opinion

Progress: TypeAlias = Callable[[int, VideoReader], None]

WINDOW, MARGIN = 64, 12  # frames that are done at once, and of either neighbour that are seen with them
_BUDGET = 600_000_000  # bytes of frames that are held at once, about
_SHORTEST = 8  # frames of a window, however large they are


class AlphaFolder:
    """The alphas of a clip's frames by their number, as files that appear whole.

    made_of: all that they follow from; another one has another folder. parent: where the folder lies.
    """

    def __init__(self, parent: Path, name: str, made_of: Sequence[object]):
        key = hashlib.sha256(repr((__version__, *made_of)).encode()).hexdigest()[:12]
        self.path = folder(parent) / f".{name}.{key}.offline"

    def has(self, number: int) -> bool:
        """Whether that frame is done."""
        return self._file(number, True).is_file() or self._file(number, False).is_file()

    def put(self, number: int, found: Found) -> None:
        """Keep a frame's alpha; raises OutputError."""
        packed = cv2.imencode(".png", found.alpha, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()
        try:
            with whole_file(folder(self.path) / self._file(number, found.fresh).name) as file:
                file.write(packed)
        except OSError as e:
            raise OutputError(
                f"{self.path}: the alphas of an offline run could not be kept: {e.strerror}; make room and give the "
                "same command again, it goes on where it was"
            ) from e

    def get(self, number: int) -> Found:
        """What was kept of a frame; raises OutputError if it is gone."""
        for fresh in (True, False):
            file = self._file(number, fresh)
            alpha = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) if file.is_file() else None
            if alpha is not None:
                return Found(alpha, fresh)
        raise OutputError(f"{self.path}: expected the alpha of frame {number}, found none; give the same command again")

    def remove(self) -> None:
        """All of it, once the results are whole."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, number: int, fresh: bool) -> Path:
        return self.path / f"{number:08d}{'-first' if fresh else ''}.png"


class Kept:
    """Frame → Matte, in order, of alphas that were kept."""

    def __init__(self, alphas: AlphaFolder, notes: Sequence[str] = ()):
        self._alphas, self._numbers, self._notes = alphas, count(), [*notes]

    def notes(self) -> list[str]:
        """What a user must know of how they were made, in sentences."""
        return self._notes

    def remove(self) -> None:
        """Forget them, once the results are whole."""
        self._alphas.remove()

    def __call__(self, frame: Frame) -> Matte:
        kept = self._alphas.get(next(self._numbers))
        alpha, found = alphas_of(frame, kept.alpha)
        return Matte(frame, alpha, kept.fresh, found=found)


def make_alphas(
    frames: Iterable[Frame], passes: TwoPasses, alphas: AlphaFolder, told: Callable[[int], None] = lambda done: None
) -> None:
    """Find and keep the alpha of every frame of a clip; what is kept already is not done again.

    told: is given the number of frames that are done, window by window and between. Raises OutputError, ModelError.
    """
    for start, first, window, last in _windows(frames):
        numbers = range(start, start + len(window))
        if all(alphas.has(number) for number in numbers):
            told(numbers.stop)
            continue
        seen = [*first, *window, *last]
        found = passes(seen, _Steps(start, len(window), STEPS * len(seen), told))
        for number, one in zip(numbers, found[len(first) : len(first) + len(window)], strict=True):
            alphas.put(number, one)
        told(numbers.stop)


class _Steps:
    """Called after every step of a window, tells how many frames that is."""

    def __init__(self, start: int, frames: int, steps: int, told: Callable[[int], None]):
        self.start, self.frames, self.steps, self.told, self.done = start, frames, steps, told, 0

    def __call__(self) -> None:
        self.done += 1
        self.told(self.start + self.frames * self.done // self.steps)


def _windows(frames: Iterable[Frame]) -> Iterator[tuple[int, list[Frame], list[Frame], list[Frame]]]:
    """Number of its first frame, margin before, frames, margin after, of each window of a clip."""
    held: list[Frame] = []
    start = begin = 0  # numbers of the window's first frame, and of the first that is held
    length = WINDOW
    for frame in frames:
        if not held:
            length = window_length(frame.size)
        held.append(frame)
        if begin + len(held) == start + length + MARGIN:
            at = start - begin
            yield start, held[:at], held[at : at + length], held[at + length :]
            start += length
            held = held[max(0, start - MARGIN - begin) :]
            begin = max(0, start - MARGIN)
    at = start - begin
    if held[at:]:
        yield start, held[:at], held[at:], []


def window_length(size: tuple[int, int]) -> int:
    """Frames of a window, for frames of (H, W): fewer where they are large."""
    each = 3 * size[0] * size[1]  # planes, alphas and what they are made of
    return min(WINDOW, max(_SHORTEST, _BUDGET // each - 2 * MARGIN))


def offline_mattes(
    source: str | os.PathLike[str],
    result: Path,
    backend: Backend,
    *,
    hints: Hints | None = None,
    refine: bool = True,
    zoom: bool = True,
    opinion: Callable[[], Opinion] = load_opinion,
    progress: Progress | None = None,
    **how: Any,
) -> Kept:
    """Find the alphas of a whole video, kept beside its result; to be removed when that is whole.

    refine, zoom: as of `koutu.Matter`. how: as of `koutu.open_video`. opinion: loads the second opinion.
    progress: as of `koutu.convert`. Raises InputError, OutputError, ModelError.
    """
    if is_pipe(source):
        raise InputError(f"{source}: expected a file for an offline run, got a pipe, which is read once; name a file")
    if backend.needs:
        raise ModelError(
            f"expected a network that needs the picture alone for an offline run, got {backend.name}; choose another"
        )
    if hints is not None:
        hints.require_used((), "an offline run", "leave either out")
    plated = plated_of(hints, backend)
    with open_video(source, **how) as reader:
        answer = _answer(backend, next(iter(reader)))
    made_of = (
        _same_source(source),
        backend.name,
        answer,
        hints.said if hints else "",
        refine,
        zoom,
        "opinion",
        sorted(how.items()),
    )
    alphas = AlphaFolder(result.absolute().parent, result.stem, made_of)
    with open_video(source, **how) as reader:

        def told(done: int) -> None:
            if progress:
                progress(done, reader)

        passes = TwoPasses(backend, refine=refine, plated=plated, opinion=opinion(), zoom=zoom)
        make_alphas(reader, passes, alphas, told)
    return Kept(alphas, plated.notes() if plated else [])


def _same_source(source: str | os.PathLike[str]) -> tuple[object, ...]:
    """What changes with a source: its name, and size and time of a file."""
    path = Path(source)
    if path.is_file():
        told = path.stat()
        return str(path.resolve()), told.st_size, told.st_mtime_ns
    return (str(path),)


def _answer(backend: Backend, frame: Frame) -> str:
    """What tells a network from another of its name: its alpha of the first frame."""
    size = backend.network_size(frame.size)
    _, pha, _ = backend(to_rgb(frame.picture, size), backend.initial_state(size))
    return hashlib.sha256(pha.tobytes()).hexdigest()
