"""The library in four calls: convert a video, convert an image, matte an image, and what they need loaded."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import IO

import numpy as np

from koutu.composite import Fit, replace
from koutu.foreground import decontaminate
from koutu.runtime.backends import Backend
from koutu.runtime.background import Background, Transparent
from koutu.runtime.background_spec import Spec, make_background
from koutu.runtime.convert import Look, Outputs, Progress, Report, convert_video
from koutu.runtime.image import Format, Source, read_image, write_image
from koutu.runtime.matter import Matter
from koutu.runtime.writer import EncodeOptions
from koutu.types import Alpha, Frame, Matte, OutputError, Rgb
from koutu.zoo import DEFAULT, DEFAULT_ENGINE, load

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
    engine: str = DEFAULT_ENGINE,
    device: str = "cpu",
    threads: int = 0,
    fit: Fit = "cover",
    loop: bool = True,
    decontaminate: bool = True,
    refine: bool = True,
    smooth: bool = False,
    encode: EncodeOptions | None = None,
    progress: Progress | None = None,
) -> Report:
    """Cut the person out of the video `source` and write what is asked for; sound, timing and colour are kept.

    output: the composite, or with background "transparent" the cut-out with alpha (.mov ProRes 4444, .webm VP9, a
    folder of PNGs). background: an image or video file, a colour, "blur", "green" or "transparent". alpha: a grey
    video; foreground: the person on black; side_by_side: original beside composite. smooth: one-frame-delay smoothing,
    which adds one frame of delay. Raises a KoutuError that says what was expected, what came and what to do.
    """
    paths = {"composite": output, "alpha": alpha, "foreground": foreground, "side_by_side": side_by_side}
    outputs = Outputs(**{name: Path(path) for name, path in paths.items() if path is not None})
    look = Look(background, fit, loop, decontaminate, refine, smooth)
    _require_background_stays(background, outputs)
    backend = _backend(model, engine, device, threads)
    return convert_video(source, outputs, look=look, backend=backend, encode=encode, progress=progress)


def matte(
    image: Rgb | Source,
    *,
    model: str | Path | Backend = DEFAULT,
    engine: str = DEFAULT_ENGINE,
    device: str = "cpu",
    threads: int = 0,
) -> Matte:
    """The matte of one picture: (H, W, 3) uint8 RGB, a path, the bytes of a file, or an open file."""
    return Matter(_backend(model, engine, device, threads))(_rgb(image))


def convert_image(
    source: Rgb | Source,
    target: PathLike | IO[bytes],
    *,
    background: Spec | Background = "transparent",
    alpha_only: bool = False,
    backend: Backend | None = None,
    fit: Fit = "cover",
    format: Format | None = None,
) -> tuple[Rgb, Alpha]:
    """Cut the person out of one image and write it; returns the picture as written (H, W, 3) and its alpha (H, W).

    Transparent: colours freed of the old background, with alpha (PNG, WebP, TIFF). `alpha_only`: alpha as grey.
    """
    rgb = _rgb(source)
    alpha = Matter(backend or load())(rgb).alpha
    if alpha_only:
        picture, kept = alpha[..., None].repeat(3, axis=2), None
    else:
        picture, kept = compose(rgb, alpha, background, fit=fit)
    write_image(target, picture, kept, format=format)
    return picture, alpha


def compose(rgb: Rgb, alpha: Alpha, background: Spec | Background, *, fit: Fit = "cover") -> tuple[Rgb, Alpha | None]:
    """The person of `rgb` before a background, and None; before "transparent" the colours alone, and alpha."""
    fgr = decontaminate(rgb, alpha)
    assert not isinstance(fgr, tuple)
    given = isinstance(background, Background)  # then the caller's to close
    with nullcontext(background) if given else make_background(background, fit=fit) as behind:
        if isinstance(behind, Transparent):
            return fgr, alpha  # type: ignore[return-value]
        return replace(fgr, alpha, behind(Frame(rgb), alpha)), None  # type: ignore[return-value]


def _rgb(image: Rgb | Source) -> Rgb:
    return image if isinstance(image, np.ndarray) else read_image(image)


def _require_background_stays(background: Spec, outputs: Outputs) -> None:
    if not isinstance(background, str | os.PathLike) or not os.path.isfile(background):
        return
    for path in outputs.paths().values():
        if path.exists() and os.path.samefile(path, background):
            raise OutputError(f"{path}: expected an output other than the background, got the same file; rename it")


def _backend(model: str | Path | Backend, engine: str, device: str, threads: int) -> Backend:
    return load(model, engine=engine, device=device, threads=threads) if isinstance(model, str | Path) else model
