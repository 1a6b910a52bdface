"""A whole video: decode, matte, composite and encode, each in its own thread, so that none waits for another."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from fractions import Fraction
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import cv2
from numpy.typing import NDArray

from koutu.color import rgb_to_planes
from koutu.composite import matte_picture, multiplied, replace, side_by_side, without_background
from koutu.engines.backend import Backend
from koutu.engines.opinion import Opinion
from koutu.foreground import decontaminate, put_over
from koutu.matting.chosen import SOON, Chosen
from koutu.matting.hints import Hints
from koutu.matting.matte import Matte
from koutu.matting.matter import Matter
from koutu.matting.one_frame_delay import one_frame_delay
from koutu.media.background import Background, Transparent
from koutu.media.background_spec import make_background
from koutu.media.fields import Deinterlace
from koutu.media.png_folder import folder_and_pattern, is_exr, is_sequence
from koutu.media.reader import VideoReader, open_video
from koutu.media.writer import EncodeOptions, Writer, keeps_chroma, open_writer
from koutu.pipeline.look import Look
from koutu.pipeline.mailbox import Mailbox, Stage, stage, stop
from koutu.pipeline.offline import Kept, Progress, offline_mattes
from koutu.pipeline.sought import sought
from koutu.types import Alpha, Frame, OutputError, Picture, Planes, Yuv
from koutu.zoo import load_opinion

WARM = Fraction(2)  # seconds before a segment, after which no memory was seen to differ
WAITING = 3  # frames between two stages: enough to overlap them, little enough to forget

Observe = Callable[[Matte], None]
Corrections: TypeAlias = Mapping[float, NDArray[Any]]


@dataclass(frozen=True)
class Outputs:
    """Where to write what; `composite` holds the cut-out with its alpha when the background is transparent."""

    composite: Path | None = None
    alpha: Path | None = None  # grey video
    foreground: Path | None = None  # decontaminated colours on black
    side_by_side: Path | None = None  # original | composite

    def __post_init__(self) -> None:
        if self.alpha is not None and is_exr(self.alpha):
            raise OutputError(
                f"{self.alpha}: expected a video or PNG pictures for alpha, got EXR; its cut-out holds alpha"
            )
        if not self.paths():
            raise OutputError("expected an output, got none; give -o, --alpha, --foreground or --side-by-side")
        targets = [folder_and_pattern(p)[0] if is_sequence(p) else p for p in self.paths().values()]
        seen = [os.path.realpath(target) for target in targets]
        if len(set(seen)) < len(seen):
            raise OutputError("expected a place of its own for each output, got one twice; rename one")

    def paths(self) -> dict[str, Path]:
        """The outputs asked for, by name."""
        return {k: v for k, v in vars(self).items() if v is not None}


@dataclass(frozen=True)
class Span:
    """A segment of a video, in its frames' seconds: from start to before end, None for the video's own."""

    start: Fraction
    end: Fraction | None

    def holds(self, matte: Matte) -> bool:
        """Whether that moment lies in it."""
        return matte.frame.seconds >= self.start and (self.end is None or matte.frame.seconds < self.end)


@dataclass
class Report:
    """What a run did. stage_ms: mean busy milliseconds a frame of each stage, which overlap."""

    frames: int = 0
    seconds: float = 0.0
    model: str = ""
    stage_ms: dict[str, float] = field(default_factory=dict)
    outputs: list[Path] = field(default_factory=list)
    added_delay_frames: int = 0
    fresh_starts: int = 0  # times the memory began anew: the first frame, cuts, gaps
    low_frames: int | None = None  # that the gate left to the network's low-resolution branch; None without a gate
    repeated_frames: int = 0  # that show what the one before did, and were not matted anew
    notes: list[str] = field(default_factory=list)
    lost: str = ""  # what of the input could not be read

    @property
    def rate(self) -> float:
        """Frames per second from first read to last write."""
        return self.frames / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class _Result:
    """One frame's pictures, by the name of the output that takes them."""

    frame: Frame
    alpha: Alpha
    pictures: dict[str, Yuv]


def convert_video(
    source: str | os.PathLike[str],
    outputs: Outputs,
    *,
    backend: Backend,
    look: Look | None = None,
    hints: Hints | None = None,
    encode: EncodeOptions | None = None,
    progress: Progress | None = None,
    observe: Observe | None = None,
    corrections: Corrections | None = None,
    chosen: Chosen | None = None,
    rate: Fraction | float | None = None,
    deinterlace: Deinterlace = "auto",
    sdr: bool = False,
    span: Span | None = None,
    offline: bool = False,
    opinion: Callable[[], Opinion] = load_opinion,
) -> Report:
    """Matte the video `source` and write every output asked for; nothing half-written is left if that fails.

    backend: what `koutu.load` gives; hints: what it needs beside the frames.
    progress: called with the number of frames written and the reader after each; observe: with every matte, in order.
    corrections: masks as of `Matter.correct`, of any size, by the second from which on they are carried along.
    chosen: of several people, who stays. rate, deinterlace, sdr: as of `koutu.open_video`. span: of a video file, the
    segment to write, without sound; the memory is warmed on what comes before it. offline: as of `koutu.convert`.
    opinion: loads the second opinion, which `look` or an offline run may ask for.
    Raises InputError, OutputError or ModelError; what of a damaged file could not be read stands in the report.
    """
    look, encode = look or Look(), encode or EncodeOptions()
    report, started = Report(outputs=list(outputs.paths().values())), perf_counter()
    with ExitStack() as stack:
        background = stack.enter_context(make_background(look.background, fit=look.fit, loop=look.loop))
        composer = Composer(outputs, look, background, observe)
        full = any(keeps_chroma(path, composer.keeps_alpha(name)) for name, path in outputs.paths().items())
        reader = stack.enter_context(open_video(source, rate=rate, deinterlace=deinterlace, sdr=sdr, full_chroma=full))
        if span is not None:
            reader.cut(span.start, span.end, WARM)
        writers = {
            name: stack.enter_context(_open_writer(name, path, reader, composer, encode))
            for name, path in outputs.paths().items()
        }
        if hints is not None and hints.seeks_plate:
            report.notes += sought(source, hints, backend, rate=rate, deinterlace=deinterlace, sdr=sdr)
        report.model, report.added_delay_frames = backend.name, int(look.smooth)
        how = {"rate": rate, "deinterlace": deinterlace, "sdr": sdr}
        kept = None
        if offline:
            report.model += " · offline"
            first = next(iter(outputs.paths().values()))
            kept = offline_mattes(
                source, first, backend, hints=hints, refine=look.refine, zoom=look.zoom, opinion=opinion,
                progress=progress, **how,
            )  # fmt: skip
        asked = opinion() if look.opinion and not offline else None
        found = kept or Matter(backend, refine=look.refine, hints=hints, zoom=look.zoom, opinion=asked, again=False)
        matter = Corrected(found, corrections or {}, chosen or Chosen())
        stages = _stages(reader, matter, composer, look.smooth, span)
        stack.callback(stop, stages)
        encode_seconds = 0.0
        for result in stages[-1].outbox:
            began = perf_counter()
            for name, writer in writers.items():
                alpha = result.alpha if composer.keeps_alpha(name) else None
                writer.write(result.pictures[name], result.frame, alpha)
            encode_seconds += perf_counter() - began
            report.frames = max(writer.count for writer in writers.values())
            if progress and not offline:
                progress(report.frames, reader)
        matter.chosen.require_met()
        for writer in writers.values():
            writer.finish()
        report.notes += [*reader.notes, *matter.matter.notes(), *matter.chosen.notes()]
        for writer in writers.values():  # only now that all are complete: either every output appears or none
            writer.close()
            report.notes += [note for note in writer.notes if note not in report.notes]
        if kept is not None:
            kept.remove()
        busy = {s.name.removeprefix("koutu-"): s.busy_seconds for s in stages} | {"encode": encode_seconds}
        report.stage_ms = {name: 1000 * seconds / max(1, report.frames) for name, seconds in busy.items()}
        report.fresh_starts, report.lost = composer.fresh_starts, str(reader.lost)
        report.low_frames = composer.low_frames if backend.gated else None
        report.repeated_frames = composer.repeated_frames
    report.seconds = perf_counter() - started
    return report


class Composer:
    """Matte → the frames of all outputs."""

    def __init__(self, outputs: Outputs, look: Look, background: Background, observe: Observe | None = None):
        self.outputs, self.look, self.background, self.observe = outputs.paths(), look, background, observe
        self.transparent = isinstance(background, Transparent)
        self.fresh_starts = self.low_frames = self.repeated_frames = 0
        self._last: _Result | None = None
        if self.transparent and "side_by_side" in self.outputs:
            raise OutputError("expected a background to show side by side, got transparent; name a colour or a frame")

    def keeps_alpha(self, name: str) -> bool:
        """Whether the output of that name is a cut-out rather than a frame."""
        return self.transparent and name == "composite"

    def __call__(self, matte: Matte) -> _Result:
        self.fresh_starts += matte.fresh
        self.low_frames += matte.low
        self.repeated_frames += matte.repeated
        if self.observe:
            self.observe(matte)
        last = self._last
        if last is not None and matte.repeated and matte.alpha is last.alpha and self.background.timeless:
            pictures = last.pictures
        else:
            pictures = self._pictures(matte)
        self._last = _Result(matte.frame, matte.alpha, pictures)
        return self._last

    def _pictures(self, matte: Matte) -> dict[str, Yuv]:
        picture, alpha = _yuv(matte.frame.picture), matte.alpha
        pictures: dict[str, Yuv] = {}
        fgr: Yuv | None = None
        if "alpha" in self.outputs:
            pictures["alpha"] = matte_picture(alpha, picture.space, picture.depth)
        if "foreground" in self.outputs or self.transparent:
            fgr = self._foreground(matte)
            pictures["foreground"] = _yuv(without_background(fgr, alpha))
        if self.transparent:
            pictures["composite"] = pictures["foreground"]
            if self.look.premultiplied and not ("composite" in self.outputs and is_exr(self.outputs["composite"])):
                pictures["composite"] = _yuv(multiplied(pictures["foreground"], alpha))
        elif "composite" in self.outputs or "side_by_side" in self.outputs:
            pictures["composite"] = self._over(matte, fgr, _yuv(self.background(matte.frame, alpha)))
        if "side_by_side" in self.outputs:
            pictures["side_by_side"] = side_by_side(picture, pictures["composite"])
        return pictures

    def _foreground(self, matte: Matte) -> Yuv:
        return _yuv(own_colours(matte) if self.look.decontaminate else matte.frame.picture)

    def _over(self, matte: Matte, fgr: Yuv | None, behind: Yuv) -> Yuv:
        """The person, whose colours `fgr` are made only where nothing less does, over what goes behind."""
        alone = matte.foreground is None and matte.found is None
        if fgr is None and self.look.decontaminate and alone:
            return _yuv(put_over(matte.frame.picture, matte.alpha, behind))
        return _yuv(replace(fgr or self._foreground(matte), matte.alpha, behind))


def own_colours(matte: Matte) -> Picture:
    """The person's own colours: the network's if it gives them, else the frame's without the old background."""
    picture, given = matte.frame.picture, matte.foreground
    if given is None:
        return decontaminate(picture, matte.mixed)
    if isinstance(picture, Yuv):
        return rgb_to_planes(given, Planes(picture.space, picture.depth, type(picture)))
    return given


class Corrected:
    """A Matter that is corrected at its moments, and whose mattes are of those who were chosen."""

    def __init__(self, matter: Matter | Kept, corrections: Corrections, chosen: Chosen):
        self.matter, self.chosen = matter, chosen
        self._due = sorted(corrections.items(), key=lambda entry: entry[0])

    def __call__(self, frame: Frame) -> Matte:
        """Alpha of the frame, with what was due before it or is now."""
        matte = self.matter(frame)
        while self._due and self._due[0][0] <= frame.seconds + SOON:
            _, mask = self._due.pop(0)
            assert isinstance(self.matter, Matter)
            matte = self.matter.correct(cv2.resize(mask, frame.size[::-1], interpolation=cv2.INTER_NEAREST))
        return self.chosen(matte)


def _stages(reader: VideoReader, matter: Corrected, composer: Composer, smooth: bool, span: Span | None) -> list[Stage]:
    frames, mattes, results = Mailbox[Frame](WAITING), Mailbox[Matte](WAITING), Mailbox[_Result](WAITING)
    given = one_frame_delay(mattes) if smooth else mattes
    return [
        stage(None, reader, frames, name="decode"),
        stage(matter, frames, mattes, name="matte"),
        stage(composer, given if span is None else filter(span.holds, given), results, name="composite"),
    ]


def _open_writer(name: str, path: Path, reader: VideoReader, composer: Composer, encode: EncodeOptions) -> Writer:
    height, width = reader.size
    size = (height, 2 * width + width % 2) if name == "side_by_side" else reader.size
    if name == "alpha":
        encode = replaced(encode, crf=min(encode.crf, encode.alpha_crf))
    return open_writer(path, reader, alpha=composer.keeps_alpha(name), size=size, options=encode)


def _yuv(picture: Picture | None) -> Yuv:
    """A frame that is known to be planar, said to the type checker."""
    assert isinstance(picture, Yuv)
    return picture
