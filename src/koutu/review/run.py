"""Reviewing: a video with the alpha it has, the alpha beside it, or the alpha found here; or mattes while they pass."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from koutu.color import shrink, to_rgb
from koutu.matting.matte import Matte
from koutu.matting.matter import Matter
from koutu.media.alpha_track import AlphaReader, beside, has_alpha, opaque
from koutu.media.reader import VideoReader, open_video
from koutu.review.causes import cause_of, options_for
from koutu.review.judge import Spell, shots, spells
from koutu.review.measure import MEASURES, Observer, small
from koutu.review.record import EMPTY, Gallery, Series
from koutu.review.report import Finding, Review, time_code
from koutu.zoo import load

PathLike = str | os.PathLike[str]
Progress = Callable[[int, VideoReader], None]

_FLAT = 2.5  # standard deviation of colour, of 255, below which a background is one colour
_SEES = {
    ("empty", "area"): "nobody is found",
    ("leak", "islands"): "a loose part beside the person is taken for it, {value:.1%} of the person's area",
    ("leak", "state"): "background is taken for the person, {value:.1%} of the person's area",
    ("leak", "edge"): "alpha's edge leaves the frame's edges, its area is larger than usual",
    ("hole", "holes"): "a part inside the person is missing, {value:.1%} of its area",
    ("hole", "state"): "a part of the person is missing, {value:.1%} of its area",
    ("hole", "edge"): "alpha's edge leaves the frame's edges, its area is smaller than usual",
    ("flicker", "flicker"): "the edge flickers, by {value:.2f} of alpha in a frame",
    ("unsure", "unsure"): "alpha is unsure over a wide part, {value:.0%} of the person's area",
}


class Reviewer:
    """Call it with every Matte of a video in order, then `finish()`: it keeps small frames and a few numbers only.

    source, alpha: what the report calls the video and where its alpha is from. scene: False if frames are a cut-out's,
    without what was behind the person.
    """

    def __init__(self, source: str = "the video", *, alpha: str = "as it was made", scene: bool = True):
        self.source, self.alpha = source, alpha
        self._observer, self._series, self._gallery = Observer(scene=scene), Series(), Gallery()
        self._size, self._flat = (0, 0), 0

    def __call__(self, matte: Matte) -> None:
        """Take the measures of one frame; neither it nor its picture is kept."""
        self._size, size = matte.frame.size, small(matte.frame.size)
        rgb, alpha = to_rgb(matte.frame.picture, size), shrink(matte.alpha, size)
        seconds, frame = float(matte.frame.seconds), len(self._series)
        row = self._observer(rgb, alpha, seconds, matte.fresh)
        self._series.append(row, seconds)
        self._gallery.offer(frame, row, rgb, alpha)
        behind = rgb[alpha < 3]
        self._flat += bool(len(behind) and behind.std(axis=0).max() < _FLAT)

    @property
    def flat(self) -> bool:
        """Whether what lies behind the person is one colour in most frames, as in a finished composite."""
        return self._flat * 2 > len(self._series)

    def finish(self, *, lost: str = "", notes: tuple[str, ...] = ()) -> Review:
        """The report. lost: what of the input could not be read; notes: what else a reader must know."""
        series = self._series
        findings, quiet = [], []
        for spell in spells(series):
            if spell.sign == "empty" and not _abrupt(spell, series):
                when = f"{time_code(series.seconds[spell.first])}–{time_code(series.seconds[spell.last])}"
                quiet.append(f"{when} nobody is found; that is right if nobody is there")
            else:
                findings.append(self._finding(spell))
        measures = {name: series[name] for name in MEASURES}
        return Review(
            self.source, self.alpha, self._size, series.seconds, measures, tuple(findings), (*notes, *quiet), lost
        )

    def _finding(self, spell: Spell) -> Finding:
        seconds = self._series.seconds
        cause, why = cause_of(spell, self._series)
        still = self._gallery.find("edge" if spell.by == "edge" else spell.sign, spell.first, spell.last, spell.worst)
        return Finding(
            spell.sign, cause, float(seconds[spell.first]), float(seconds[spell.last]), spell.first, spell.last,
            spell.worst, spell.severity, self._sees(spell), why,
            options_for(spell, cause, self._series), spell.also, still,
        )  # fmt: skip

    def _sees(self, spell: Spell) -> str:
        series = self._series
        sees = _SEES[spell.sign, spell.by].format(value=spell.value)
        shot = next(s for s in shots(series) if s.start <= spell.worst < s.stop)
        if spell.by == "state" and (spell.first <= shot.start + 1 or spell.last >= shot.stop - 2):
            sees += ", or it is the rest of the shot that is wrong"  # one side alone says which state is commoner
        return sees


def review(
    source: PathLike, alpha: PathLike | None = None, *, matter: Matter | None = None, progress: Progress | None = None
) -> Review:
    """Look through a video for frames whose matte is bad; memory does not grow with its length but for some numbers.

    source: a cut-out (.webm or .mov with alpha), or a video. alpha: the alpha of that video, a grey video or a cut-out
    of as many frames. With neither, the video is matted here, by `matter` or else the packaged network. progress:
    called with the number of frames and the reader after each. Raises InputError or ModelError; what of a damaged file
    could not be read stands in the report.
    """
    with ExitStack() as stack:
        given = _opened(Path(source), alpha, matter, stack)
        for count, matte in enumerate(given.mattes, 1):
            given.reviewer(matte)
            if progress:
                progress(count, given.reader)
        damaged = "; ".join(f"{name}: {damage()}" for name, damage in given.lost.items() if damage())
        notes = given.notes
        if given.matted and given.reviewer.flat:
            notes += (f"what is behind the person in {given.reader.path.name} is one flat colour: {_COMPOSITE}",)
        return given.reviewer.finish(lost=damaged, notes=notes)


@dataclass(frozen=True)
class _Given:
    """What is reviewed. lost: for each file, what of it could not be read so far. matted: here."""

    reader: VideoReader
    mattes: Iterator[Matte]
    reviewer: Reviewer
    lost: dict[str, Callable[[], str]]
    notes: tuple[str, ...] = ()
    matted: bool = False


def _opened(source: Path, alpha: PathLike | None, matter: Matter | None, stack: ExitStack) -> _Given:
    name = source.name
    if alpha is not None:
        reader, alphas = stack.enter_context(open_video(source)), stack.enter_context(AlphaReader(alpha))
        lost = {name: lambda: str(reader.lost), Path(alpha).name: lambda: alphas.lost}
        mattes = (Matte(frame, found) for frame, found in beside(reader, alphas))
        return _Given(reader, mattes, Reviewer(name, alpha=f"from {Path(alpha).name}"), lost)
    if has_alpha(source):
        cut_out = stack.enter_context(open_video(source, keep_hidden=True))
        mattes = (Matte(frame, opaque(frame)) for frame in cut_out)
        reviewer = Reviewer(name, alpha="its own alpha track", scene=False)
        return _Given(cut_out, mattes, reviewer, {name: lambda: str(cut_out.lost)}, (_NO_SCENE.format(name),))
    reader = stack.enter_context(open_video(source))
    matter = matter or Matter(load())
    reviewer = Reviewer(name, alpha=f"found here, by {matter.backend.name}")
    lost = {name: lambda: str(reader.lost)}
    return _Given(reader, map(matter, reader), reviewer, lost, (_MATTED_HERE.format(name),), matted=True)


_NO_SCENE = (
    "the scene's light and edges were not looked at, because a cut-out no longer has them; "
    "for that, koutu review ORIGINAL --alpha {}"
)
_MATTED_HERE = (
    "{} has no alpha, so it was matted here: this tells how that matte does, not one made before; "
    "for that, give --alpha, or the cut-out"
)
_COMPOSITE = "if it is a finished composite, review the original instead, with --alpha"


def _abrupt(spell: Spell, series: Series) -> bool:
    """Whether the person is gone or back from one frame to the next, within a shot: nobody walks so fast."""
    area = series["area"]
    shot = next(s for s in shots(series) if s.start <= spell.worst < s.stop)
    if (area < EMPTY).mean() > 0.9:
        return True  # nobody in the whole video: something is wrong
    before = area[max(shot.start, spell.first - 2) : spell.first]
    after = area[spell.last + 1 : min(shot.stop, spell.last + 3)]
    return bool(max(np.max(before, initial=0), np.max(after, initial=0)) > 0.05)
