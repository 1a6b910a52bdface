"""The library in a few calls: convert a video, an image, matte an image or a stream, and what they need loaded."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from koutu.classical import solve_foreground
from koutu.color import to_rgb
from koutu.composite import HIDDEN, Fit, multiplied, replace, without_background
from koutu.engines.backend import Backend
from koutu.engines.opinion import Opinion
from koutu.foreground import decontaminate
from koutu.matting.chosen import Chosen
from koutu.matting.hints import Hints
from koutu.matting.matte import Matte
from koutu.matting.matter import Matter
from koutu.matting.people import PersonAt
from koutu.media.background import Background, Transparent
from koutu.media.background_spec import Spec, make_background
from koutu.media.fields import Deinterlace
from koutu.media.given import Channels, Given, frame_of
from koutu.media.image import Format, write_image
from koutu.media.reader import VideoReader, open_video
from koutu.media.writer import EncodeOptions
from koutu.pipeline.convert import Corrections, Observe, Outputs, Progress, Report, convert_video, own_colours
from koutu.pipeline.look import Look
from koutu.types import Alpha, Frame, InputError, OutputError, Rgb
from koutu.zoo import DEFAULT, load, load_opinion

if TYPE_CHECKING:
    from koutu.pipeline.asynchronous import Frames

PathLike = str | os.PathLike[str]


def convert(
    source: PathLike,
    output: PathLike | None = None,
    *,
    background: Spec = "green",
    alpha: PathLike | None = None,
    foreground: PathLike | None = None,
    side_by_side: PathLike | None = None,
    model: str | Path | Backend = DEFAULT,
    engine: str | None = None,
    device: str = "cpu",
    threads: int = 0,
    gate: bool | None = None,
    steady: bool | None = None,
    fit: Fit = "cover",
    loop: bool = True,
    decontaminate: bool = True,
    refine: bool = True,
    smooth: bool = False,
    hints: Hints | None = None,
    encode: EncodeOptions | None = None,
    progress: Progress | None = None,
    observe: Observe | None = None,
    corrections: Corrections | None = None,
    keep: Sequence[PersonAt] = (),
    only_person: int | None = None,
    premultiplied: bool = False,
    zoom: bool = True,
    opinion: bool = False,
    rate: Fraction | float | None = None,
    deinterlace: Deinterlace = "auto",
    sdr: bool = False,
    offline: bool = False,
) -> Report:
    """Cut the person out of the video `source` and write what is asked for; sound, timing and colour are kept.

    source: a file, "-" for standard input, or numbered pictures, a folder, a pattern or a glob, shown `rate` a second
    (25 if not given). premultiplied: multiply the colours of files with alpha by it; they are straight otherwise.
    deinterlace: "auto" makes frames that are flagged as interlaced progressive, "keep" mattes each field and writes
    interlaced H.264 or ProRes, "off" leaves combs. sdr: make SDR of HDR footage.

    output: the composite, or with background "transparent" the cut-out with alpha (.mov ProRes 4444, .webm VP9, a
    folder of PNGs). background: an image or video file, a colour, "blur", "green" or "transparent". alpha: a grey
    video; foreground: the person on black; side_by_side: original beside composite. smooth: one-frame-delay smoothing,
    which adds one frame of delay. hints: a plate, a trimap, a mask or clicks, which the default network can do without.
    observe: is given every matte in order, for example a `koutu.Reviewer`. corrections: masks as of `Matter.correct`,
    by the second from which on they are carried along. keep, only_person: of several people, those who stay, as of
    `koutu.Chosen`. gate, steady: as of `koutu.load`; zoom: as of `koutu.Matter`; opinion: as of `koutu.matte`, for a
    quarter of a second a frame. offline: take all the time that better mattes need, with that opinion too; what a
    stopped run has done lies beside the output, and the same call goes on. Needs a file (docs/offline.md).
    Raises a KoutuError that says what was expected, what came and what to do.
    """
    paths = {"composite": output, "alpha": alpha, "foreground": foreground, "side_by_side": side_by_side}
    outputs = Outputs(**{name: Path(path) for name, path in paths.items() if path is not None})
    look = Look(background, fit, loop, decontaminate, refine, smooth, premultiplied, zoom, opinion)
    chosen = Chosen(keep, only_person)
    _require_background_stays(background, outputs)
    if offline:
        _require_offline(gate, steady, corrections)
        gate = steady = False  # nothing is left to a low-resolution branch, and steadying looks both ways
    backend = _backend(model, engine, device, threads, gate=gate, steady=steady)
    return convert_video(
        source, outputs, look=look, backend=backend, hints=hints, encode=encode, progress=progress, observe=observe,
        corrections=corrections, chosen=chosen, rate=rate, deinterlace=deinterlace, sdr=sdr, offline=offline,
        opinion=lambda: load_opinion(device, threads),
    )  # fmt: skip


def matte(
    image: Given,
    *,
    channels: Channels = "rgb",
    model: str | Path | Backend = DEFAULT,
    engine: str | None = None,
    device: str = "cpu",
    threads: int = 0,
    hints: Hints | None = None,
    zoom: bool = True,
    solve: bool = True,
    opinion: bool = True,
) -> Matte:
    """The matte of one picture: a path, the bytes of a file, an open file, a Pillow image, or an array or tensor.

    Arrays are (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or have their channels first; uint8, uint16 or floats from 0
    to 1. channels: "rgb", or "bgr" as OpenCV has them. What the picture's own alpha hides stays hidden. zoom, solve: as
    of `koutu.Matter`. opinion: ask two more networks about it, for a quarter of a second more.
    """
    asked = load_opinion(device, threads) if opinion else None
    matter = Matter(_backend(model, engine, device, threads), hints=hints, zoom=zoom, solve=solve, opinion=asked)
    return matter(frame_of(image, channels=channels))


async def mattes(
    source: "PathLike | Frames",
    *,
    channels: Channels = "rgb",
    model: str | Path | Backend = DEFAULT,
    engine: str | None = None,
    device: str = "cpu",
    threads: int = 0,
    gate: bool | None = None,
    steady: bool | None = None,
    hints: Hints | None = None,
    keep: Sequence[PersonAt] = (),
    only_person: int | None = None,
    zoom: bool = True,
    rate: Fraction | float | None = None,
    deinterlace: Deinterlace = "auto",
    sdr: bool = False,
) -> AsyncIterator[Matte]:
    """The mattes of a stream, for asyncio: `async for matte in koutu.mattes("talk.mp4")`.

    source: a video as of `koutu.convert`, or an iterator, asynchronous or not, of frames as `koutu.matte` takes them.
    The network runs in a thread of its own, one frame when one is asked for; leave the loop at any time. channels: of
    arrays; rate, deinterlace, sdr: of a video; all else as of `koutu.convert`.
    """
    from koutu.pipeline.asynchronous import mattes_of  # asyncio takes longer to import than all of koutu

    backend = _backend(model, engine, device, threads, gate=gate, steady=steady)
    matter, chosen = Matter(backend, hints=hints, zoom=zoom, again=False), Chosen(keep, only_person)

    def see(frame: Frame | Given) -> Matte:
        return chosen(matter(frame, channels=channels))

    def opened(path: PathLike) -> VideoReader:
        return open_video(path, rate=rate, deinterlace=deinterlace, sdr=sdr)

    async with aclosing(mattes_of(source, see, opened)) as found:
        async for matte in found:
            yield matte
    chosen.require_met()


def convert_image(
    source: Given,
    target: PathLike | IO[bytes],
    *,
    channels: Channels = "rgb",
    background: Spec | Background = "transparent",
    alpha_only: bool = False,
    backend: Backend | None = None,
    hints: Hints | None = None,
    fit: Fit = "cover",
    format: Format | None = None,
    multilevel: bool = False,
    premultiplied: bool = False,
    zoom: bool = True,
    solve: bool = True,
    opinion: bool | Opinion = True,
    tell: Callable[[str], None] | None = None,
) -> tuple[Rgb, Alpha]:
    """Cut the person out of one image and write it; returns the picture as written (H, W, 3) and its alpha (H, W).

    source, channels, zoom, solve, opinion: as of `koutu.matte`; or the opinion that `koutu.zoo.load_opinion` gave.
    tell: is given what a user must know of it, in sentences. Transparent: colours freed of the old background, with
    alpha (PNG, WebP, TIFF). `alpha_only`: alpha as grey. `multilevel`: colours by pymatting's multi-level method,
    slower. `premultiplied`: colours multiplied by alpha.
    """
    asked = opinion if isinstance(opinion, Opinion) else load_opinion() if opinion else None
    matter = Matter(backend or load(), hints=hints, zoom=zoom, solve=solve, opinion=asked)
    result = matter(frame_of(source, channels=channels))
    if tell is not None:
        for note in matter.notes():
            tell(note)
    rgb, alpha = to_rgb(result.frame.picture), result.alpha
    if alpha_only:
        picture, kept = alpha[..., None].repeat(3, axis=2), None
    else:
        fgr = solve_foreground(rgb, result.mixed) if multilevel else to_rgb(own_colours(result))
        picture, kept = compose(rgb, alpha, background, fit=fit, fgr=fgr)
        if premultiplied and kept is not None:
            picture = to_rgb(multiplied(picture, alpha))
    write_image(target, picture, kept, format=format, notes=result.frame.notes)
    return picture, alpha


def make_trimap(
    source: Given,
    target: PathLike | IO[bytes],
    *,
    channels: Channels = "rgb",
    backend: Backend | None = None,
    hints: Hints | None = None,
    format: Format | None = None,
) -> NDArray[Any]:
    """A trimap (H, W) of 0, 128 and 255, written as a grey picture and returned.

    Of the hints' mask, trimap or clicks; with a `backend` whose network makes trimaps (Semantic Human Matting), of it;
    without either, of the packaged network's matte.
    """
    frame = frame_of(source, channels=channels)
    if backend is not None:
        trimap = backend.trimap(to_rgb(frame.picture))
    else:
        trimap = (hints or Hints(mask="auto", guess=Matter(load())))(frame, ("trimap",))["trimap"]
    if frame.alpha is not None:
        trimap = np.where(frame.alpha <= HIDDEN, np.uint8(0), trimap)
    write_image(target, np.repeat(trimap[..., None], 3, axis=2), format=format)
    return trimap


def compose(
    rgb: Rgb, alpha: Alpha, background: Spec | Background, *, fit: Fit = "cover", fgr: Rgb | None = None
) -> tuple[Rgb, Alpha | None]:
    """The person of `rgb` before a background, and None; before "transparent" their colours on black, and alpha.

    fgr: the person's own colours where they are known; else the old background's light is taken out of the rim.
    """
    if fgr is None:
        fgr = decontaminate(rgb, alpha)  # type: ignore[assignment]
    assert isinstance(fgr, np.ndarray)
    given = isinstance(background, Background)  # then the caller's to close
    with nullcontext(background) if given else make_background(background, fit=fit) as behind:
        if isinstance(behind, Transparent):
            return to_rgb(without_background(fgr, alpha)), alpha
        return replace(fgr, alpha, behind(Frame(rgb), alpha)), None  # type: ignore[return-value]


def _require_offline(gate: bool | None, steady: bool | None, corrections: Corrections | None) -> None:
    for name, asked in (("gate", gate), ("steady", steady), ("corrections", corrections)):
        if asked:
            raise InputError(f"expected an offline run or {name}, got both, which do not go together; leave one out")


def _require_background_stays(background: Spec, outputs: Outputs) -> None:
    if not isinstance(background, str | os.PathLike) or not os.path.isfile(background):
        return
    for path in outputs.paths().values():
        if path.exists() and os.path.samefile(path, background):
            raise OutputError(f"{path}: expected an output other than the background, got the same file; rename it")


def _backend(model: str | Path | Backend, engine: str | None, device: str, threads: int, **options: Any) -> Backend:
    given = isinstance(model, str | Path)
    return load(model, engine=engine, device=device, threads=threads, **options) if given else model
