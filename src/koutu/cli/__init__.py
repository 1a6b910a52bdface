"""The command line: parse, call one library function, print. Heavy imports happen in the command that needs them."""

import io
import signal
import sys
from typing import Annotated

import typer

from koutu import __version__
from koutu.cli.about import demo, doctor, models
from koutu.cli.adapt import adapt
from koutu.cli.audit import audit
from koutu.cli.batch import batch
from koutu.cli.bench import bench
from koutu.cli.data import app as data
from koutu.cli.evaluation import compose, evaluate
from koutu.cli.export import export
from koutu.cli.gate import gate
from koutu.cli.image import image, trimap
from koutu.cli.live import live
from koutu.cli.matte import matte
from koutu.cli.pack import pack
from koutu.cli.quantise import quantise
from koutu.cli.render import render
from koutu.cli.review import review
from koutu.cli.search import search
from koutu.cli.serve import serve
from koutu.cli.train import train
from koutu.cli.video import video
from koutu.types import KoutuError

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
6 done but part of a damaged input was lost, 7 training cannot go on,
8 an adaptation made nothing better and was not written,
9 an export differed too much and was not written,
10 some items of a batch failed or are left, 130 interrupted, 143 terminated.""",
)


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    if version:
        print(f"koutu {__version__}")
        raise typer.Exit


for command in (
    video,
    batch,
    live,
    image,
    trimap,
    review,
    bench,
    train,
    search,
    adapt,
    gate,
    quantise,
    export,
    demo,
    models,
    doctor,
):
    app.command()(command)
app.command()(serve)
app.command("eval")(evaluate)
data.command()(audit)
data.command()(compose)
data.command()(matte)
data.command()(pack)
data.command()(render)
app.add_typer(data, name="data")


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
