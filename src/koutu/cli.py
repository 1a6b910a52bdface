"""The command line: parse, call one library function, print. Heavy imports happen in the command that needs them."""

import io
import signal
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from koutu import __version__
from koutu.types import KoutuError

LOST_INPUT = 6  # exit code: finished, but part of the input could not be read
INTERRUPTED = 130
TERMINATED = 128 + signal.SIGTERM

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="""koutu (抠图) cuts people out of pictures and video and puts another background behind them.

\b
Examples:
  koutu video talk.mp4 -o out.mp4 --background beach.jpg
  koutu video talk.mp4 -o out.mov --background transparent
  koutu image portrait.jpg -o cut/
  koutu doctor

\b
Exit codes: 0 done, 2 wrong usage, 3 input, 4 output, 5 model or device,
6 done but part of a damaged input was lost, 130 interrupted, 143 terminated.""",
)


class Fit(str, Enum):
    """How a background meets the frame."""

    cover = "cover"
    contain = "contain"
    stretch = "stretch"


class Codec(str, Enum):
    """Video codec of .mp4, .mkv and .mov."""

    h264 = "h264"
    hevc = "hevc"


Model = Annotated[str, typer.Option("--model", "-m", help="A name of `koutu models`, or an exported .onnx file.")]
Engine = Annotated[str, typer.Option(help="onnxruntime or openvino; what is asked for runs, or the error says why.")]
Device = Annotated[str, typer.Option(help="cpu, or what the engine offers: cuda (onnxruntime), gpu, npu (openvino).")]
Threads = Annotated[int, typer.Option(min=0, help="Threads of the engine; 0 for its own choice.")]
BackgroundFit = Annotated[Fit, typer.Option("--fit", help="How the background meets the frame.")]


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    if version:
        print(f"koutu {__version__}")
        raise typer.Exit


@app.command()
def video(
    source: Annotated[Path, typer.Argument(metavar="IN", readable=False, help="Any video that FFmpeg reads.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", readable=False, help="Composite, or cut-out with alpha.")
    ] = None,
    background: Annotated[
        str, typer.Option("--background", "-b", help="Image, video, colour, blur[:STRENGTH], green or transparent.")
    ] = "green",
    alpha: Annotated[Path | None, typer.Option(readable=False, help="Also write alpha as a grey video.")] = None,
    foreground: Annotated[Path | None, typer.Option(readable=False, help="Also write the person on black.")] = None,
    side_by_side: Annotated[Path | None, typer.Option(readable=False, help="Also write original | composite.")] = None,
    model: Model = "",
    engine: Engine = "",
    device: Device = "cpu",
    threads: Threads = 0,
    fit: BackgroundFit = Fit.cover,
    hold: Annotated[bool, typer.Option("--hold", help="Hold a background video's last frame, not loop.")] = False,
    smooth: Annotated[bool, typer.Option(help="One-frame-delay smoothing.")] = False,
    refine: Annotated[bool, typer.Option(help="Let alpha follow the edges of the full-size picture.")] = True,
    decontaminate: Annotated[bool, typer.Option(help="Take the old background's light off the edges.")] = True,
    codec: Annotated[Codec, typer.Option(help="Codec of .mp4, .mkv and .mov without alpha.")] = Codec.h264,
    preset: Annotated[str, typer.Option(help="x264/x265 preset.")] = "veryfast",
    crf: Annotated[int, typer.Option(min=0, max=51, help="Quality: 0 lossless, 51 worst.")] = 18,
    depth: Annotated[int, typer.Option(help="Bits a sample: 8, or 10 (HEVC).")] = 8,
    audio: Annotated[bool, typer.Option(help="Keep the sound.")] = True,
) -> None:
    """Cut the person out of a video and put another background behind.

    \b
    koutu video talk.mp4 -o out.mp4 --background beach.jpg
    koutu video talk.mp4 -o out.mp4 --background blur --alpha alpha.mp4
    koutu video talk.mp4 -o cut.webm --background transparent
    koutu video talk.mp4 --side-by-side compare.mp4 --background '#204060'
    """
    from koutu.api import convert
    from koutu.progress import summary, watch
    from koutu.runtime.writer import EncodeOptions

    encode = EncodeOptions(codec=codec.value, preset=preset, crf=crf, depth=depth, audio=audio)
    with watch(source.name) as progress:
        report = convert(
            source, output, background=background, alpha=alpha, foreground=foreground, side_by_side=side_by_side,
            **_chosen(model, engine), device=device, threads=threads, fit=fit.value, loop=not hold, smooth=smooth,
            refine=refine, decontaminate=decontaminate, encode=encode, progress=progress,
        )  # fmt: skip
    for line in summary(report):
        print(line, file=sys.stderr)
    if report.lost:
        raise typer.Exit(LOST_INPUT)


@app.command()
def image(
    sources: Annotated[list[str], typer.Argument(metavar="IN…", help="Images, or - for standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", help="A folder, a file for one image, or - for stdout.")],
    background: Annotated[
        str, typer.Option("--background", "-b", help="Image, colour, blur[:STRENGTH], green or transparent.")
    ] = "transparent",
    alpha_only: Annotated[bool, typer.Option("--alpha-only", help="Write alpha as a grey picture.")] = False,
    model: Model = "",
    engine: Engine = "",
    device: Device = "cpu",
    threads: Threads = 0,
    fit: BackgroundFit = Fit.cover,
) -> None:
    """Cut the person out of images. Into a folder, each is written as STEM.png.

    \b
    koutu image portrait.jpg -o portrait.png
    koutu image *.jpg -o cut/ --background white
    koutu image - -o - < portrait.jpg > portrait.png
    """
    from koutu.api import convert_image
    from koutu.pictures import folder, jobs
    from koutu.runtime.background_spec import make_background
    from koutu.runtime.image import read_image
    from koutu.zoo import load

    pairs = jobs(sources, output)
    backend = load(**_chosen(model, engine), device=device, threads=threads)
    failed = 0
    with make_background(background, fit=fit.value) as behind:
        for source, target in pairs:
            try:
                picture = read_image(source)  # before a folder is made for it
                if isinstance(target, Path) and target != Path(output):
                    folder(target.parent)
                convert_image(
                    picture, target, background=behind, alpha_only=alpha_only, backend=backend,
                    format="PNG" if output == "-" else None,
                )  # fmt: skip
            except KoutuError as e:
                if len(sources) == 1:
                    raise
                print(f"koutu: {e}", file=sys.stderr)
                failed = e.exit_code
    if failed:
        raise typer.Exit(failed)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", readable=False, help="Folder.")] = Path("koutu-demo"),
) -> None:
    """Run the main job on a packaged sample: a composited video, its alpha, and both side by side."""
    from koutu.api import convert
    from koutu.pictures import folder
    from koutu.progress import summary, watch
    from koutu.zoo import SAMPLE

    results = folder(output)
    with watch("sample") as progress:
        report = convert(
            SAMPLE / "talk.mp4", results / "composite.mp4", background=str(SAMPLE / "lake.jpg"),
            alpha=results / "alpha.mp4", side_by_side=results / "side-by-side.mp4", progress=progress,
        )  # fmt: skip
    for line in summary(report):
        print(line)


@app.command()
def models() -> None:
    """List the packaged networks with their licence and data."""
    from koutu.zoo import DEFAULT, MODELS, WEIGHTS

    for name, card in MODELS.items():
        size = (WEIGHTS / card.file).stat().st_size / 1e6
        print(f"{name}{' (default)' if name == DEFAULT else ''}  {size:.1f} MB")
        print(f"  {card.summary}\n  licence: {card.licence}\n  data: {card.data}")


@app.command()
def doctor() -> None:
    """Tell what was found on this machine, what will run, and every version."""
    from koutu.doctor import examine

    healthy = True
    for line, fine in examine():
        healthy &= fine
        print(line)
    if not healthy:
        raise typer.Exit(5)


def _chosen(model: str, engine: str) -> dict[str, Any]:
    """The options that were given; the library knows its own defaults."""
    return {name: value for name, value in (("model", model), ("engine", engine)) if value}


def _leave(*_: object) -> None:
    """Unwind, so that what is half-written is removed."""
    sys.exit(TERMINATED)


def main() -> None:
    """Entry point: every expected mistake ends in one sentence and an exit code, never in a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a pipe may know neither 抠 nor ×
    signal.signal(signal.SIGTERM, _leave)
    try:
        app()
    except KoutuError as e:
        print(f"koutu: {e}", file=sys.stderr)
        sys.exit(e.exit_code)
    except SystemExit as e:
        if e.code in (INTERRUPTED, TERMINATED):  # the first is Typer's answer to Ctrl-C
            print("koutu: interrupted; nothing half-written was left", file=sys.stderr)
        raise
