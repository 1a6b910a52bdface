"""Options that several commands share, and what the library makes of them."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from koutu.media.containers import EncodeOptions
from koutu.pipeline.look import Look
from koutu.types import InputError

if TYPE_CHECKING:
    from koutu.engines.backend import Backend
    from koutu.matting.hints import Hints


class Fit(str, Enum):
    """How a background meets the frame."""

    cover = "cover"
    contain = "contain"
    stretch = "stretch"


class Codec(str, Enum):
    """Video codec of .mp4, .mkv and .mov."""

    h264 = "h264"
    hevc = "hevc"


class Deinterlace(str, Enum):
    """What becomes of interlaced frames."""

    auto = "auto"
    keep = "keep"
    off = "off"


BACKGROUND, FIT, CODEC = str(Look.background), Fit(Look.fit), Codec(EncodeOptions().codec)
AUTO = "auto"  # of layouts and splits: found by what is there


# What networks run on.
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Name that `koutu models` lists, exported file (.onnx, .json) or .yaml description; koutu if not given.",
    ),
]
Engine = Annotated[
    str,
    typer.Option(help="Engine: onnxruntime, openvino or torch; if not given, the first of these that the model has."),
]
Device = Annotated[
    str, typer.Option(help="Where the engine runs: cpu, cuda (onnxruntime, torch), gpu or npu (openvino).")
]
Threads = Annotated[int, typer.Option(min=0, help="Threads of the engine; 0 leaves their number to it.")]
Gate = Annotated[
    bool | None,
    typer.Option(
        "--gate/--no-gate",
        help="Leave simple scenes to the network's low-resolution branch; if neither is given, where it can.",
    ),
]
Steady = Annotated[
    bool | None,
    typer.Option("--steady/--no-steady", help="Carry alpha along against flicker; if neither is given, where it can."),
]
Weights = Annotated[
    str,
    typer.Option(help="File with the weights that a network of `koutu models` was published with, or random."),
]
Option = Annotated[
    list[str],
    typer.Option("--option", metavar="NAME=VALUE", help="A field of the network's Config; give it again for more."),
]

Premultiplied = Annotated[
    bool,
    typer.Option(
        "--premultiplied/--straight", help="Multiply colours by alpha in files with alpha; most programs want straight."
    ),
]

# What a network needs beside the picture.
Trimap = Annotated[
    Path | None,
    typer.Option(readable=False, help="Picture or video: black is background, white the person, grey unknown."),
]
Mask = Annotated[
    str, typer.Option(help="Coarse mask, a picture or video; auto has the default network make it. None if not given.")
]
Plate = Annotated[
    Path | None,
    typer.Option(
        readable=False,
        help="Picture or video of the scene without anybody, for better mattes; auto finds it in a video itself.",
    ),
]
Fixed = Annotated[bool, typer.Option("--plate-fixed", help="The camera stood still: do not align the plate.")]
Propagate = Annotated[
    str,
    typer.Option(
        metavar="FILE", help="Checkpoint of STM, which carries the first frame's mask or trimap on to all others."
    ),
]
Clicks = Annotated[
    str, typer.Option(help='Points "x,y x,y -x,y" in pixels: on the person, or with a minus on the background.')
]
Radius = Annotated[
    int,
    typer.Option(
        "--trimap-radius",
        help="Pixels on either side of a mask's edge that are unknown; -1 is 2 % of the short side, and 4.5 % of the "
        "long one with networks that need no hint.",
    ),
]

# How the result looks.
BEHIND = "a colour (a name, #rrggbb or r,g,b), blur or blur:STRENGTH (% of the short side, above 0, at most 100)"
Background = Annotated[
    str,
    typer.Option("--background", "-b", help=f"Behind the person: image or video file, {BEHIND}, green or transparent."),
]
BackgroundFit = Annotated[
    Fit,
    typer.Option("--fit", help="The background fills the frame and is cropped, fits inside it, or is distorted to it."),
]
Refine = Annotated[bool, typer.Option(help="Let alpha follow the edges of the full-size picture.")]
Zoom = Annotated[bool, typer.Option(help="Show the network only the part of the picture where somebody is.")]
Opinion = Annotated[
    bool, typer.Option(help="Ask two more networks what they think of the matte, for a quarter of a second each.")
]
Decontaminate = Annotated[bool, typer.Option(help="Take the old background's light off the edges.")]
Hold = Annotated[
    bool, typer.Option("--hold", help="At its end, hold a background video's last frame instead of looping.")
]
Smooth = Annotated[
    bool, typer.Option(help="Smooth each matte by its two neighbours, which delays the result by one frame.")
]
VideoCodec = Annotated[Codec, typer.Option(help="Video codec of .mp4, .mkv and .mov files without alpha.")]
AlphaCrf = Annotated[
    int, typer.Option(min=0, max=51, help="Quality of --alpha's video, as --crf; the better of both counts.")
]
Depth = Annotated[
    int, typer.Option(help="Bits of a sample: 8, or 10, which makes HEVC; 0 is 10 for HDR footage, else 8.")
]
Sdr = Annotated[bool, typer.Option("--sdr", help="Make SDR of HDR footage, which is kept otherwise.")]
Deinterlacing = Annotated[
    Deinterlace,
    typer.Option(
        "--deinterlace",
        help="auto makes interlaced frames progressive; keep mattes each field and keeps it; off leaves them.",
    ),
]
Preset = Annotated[
    str, typer.Option(help="x264 or x265 preset, ultrafast to veryslow: the slower, the smaller the file.")
]
Crf = Annotated[int, typer.Option(min=0, max=51, help="Quality of files: 0 is lossless, 51 the worst.")]
Audio = Annotated[bool, typer.Option(help="Keep the source's sound.")]

# Data sets, and scenes made of packs.
Layout = Annotated[str, typer.Option(help="Layout of the data set, of docs/datasets.md; auto finds it out.")]
Readers = Annotated[int, typer.Option(min=0, help="Threads that read; 0 is as many as the processor runs.")]
Seed = Annotated[
    int, typer.Option(min=0, help="Number that everything random follows from: the same draws the same again.")
]
People = Annotated[
    Path | None, typer.Option(readable=False, help="Pack of people that scenes are made of, with --backgrounds.")
]
Backgrounds = Annotated[
    Path | None, typer.Option(readable=False, help="Pack of places that scenes are made of, with --people.")
]
Scenes = Annotated[int, typer.Option(min=2, help="Number of scenes made of the packs.")]
SceneFrames = Annotated[int, typer.Option(min=2, help="Frames of each scene made of the packs.")]
HeldOut = Annotated[
    int, typer.Option(min=1, help="One in so many groups of people is taken: those held out in training.")
]
Clips = Annotated[
    list[Path] | None, typer.Option("--clip", readable=False, help="A video of your own; give it again for more.")
]
Tolerance = Annotated[
    float, typer.Option(min=0.0, help="Thousandths of alpha that int8 may cost; layers that cost more stay in float32.")
]

# Recipes.
Changes = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe, such as lr=1e-4 or stage1.steps=20000."),
]


def require_packs(people: Path | None, backgrounds: Path | None) -> None:
    """Raise InputError if one pack came without the other."""
    from koutu.types import InputError

    if (people is None) != (backgrounds is None):
        raise InputError("expected packs of people and of backgrounds together, got one; give both, or neither")


def load_backend(
    model: str,
    engine: str,
    device: str,
    threads: int,
    weights: str = "",
    options: list[str] | None = None,
    *,
    gate: bool | None = False,
    steady: bool | None = None,
) -> "Backend":
    """What the options ask for; the library knows its own defaults. gate, steady: as of `koutu.load`."""
    from koutu.zoo import load, parse_options

    given: dict[str, Any] = {name: v for name, v in (("model", model), ("engine", engine), ("weights", weights)) if v}
    more = parse_options(options or [])
    return load(**given, device=device, threads=threads, options=more, gate=gate, steady=steady)


def parse_size(text: str, least: int = 1) -> tuple[int, int]:
    """(H, W) of "1280x720", each side `least` pixels or more; raises InputError."""
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= least):
        room = f" of {least} pixels a side or more" if least > 1 else ""
        raise InputError(f"expected a size WIDTHxHEIGHT{room}, got {text!r}; for example 1280x720")
    return int(height), int(width)


def make_hints(
    trimap: Path | None, mask: str, plate: Path | None, clicks: str, radius: int, fixed: bool, propagate: str = ""
) -> "Hints":
    """The hints the options name; those of the first frame carried on by STM with the weights `propagate`, if any."""
    from koutu.matting.clicks import parse_clicks
    from koutu.matting.hints import AUTO, Hints
    from koutu.matting.matter import Matter
    from koutu.zoo import load

    width = None if radius < 0 else radius
    guess = Matter(load()) if mask == AUTO else None
    said = Hints(
        trimap=trimap, mask=mask or None, clicks=parse_clicks(clicks), guess=guess, radius=width,
        plate=None if propagate else plate, fixed=fixed,
    )  # fmt: skip
    if not propagate:
        return said
    carried = Matter(load("stm", weights=propagate, options={"variant": "trimap" if trimap else "mask"}), hints=said)
    return Hints(
        trimap=AUTO if trimap else None, mask=None if trimap else AUTO, plate=plate, fixed=fixed, radius=width,
        guess=carried,
    )  # fmt: skip
