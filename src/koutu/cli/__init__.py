"""The command line: parse, call one library function, print. Heavy imports happen in the command that needs them."""

import io
import signal
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from koutu import __version__
from koutu.types import KoutuError

INTERRUPTED = 130
TERMINATED = 128 + signal.SIGTERM

HELP = """koutu (抠图) cuts people out of pictures and video and puts another background behind them.

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
10 some items of a batch failed or are left, 130 interrupted, 143 terminated."""

# Every command, in the order of the help, and its function in `koutu.cli`. What is not typed is not imported.
COMMANDS = {
    "video": "video.video",
    "batch": "batch.batch",
    "live": "live.live",
    "image": "image.image",
    "trimap": "image.trimap",
    "review": "review.review",
    "bench": "bench.bench",
    "train": "train.train",
    "search": "search.search",
    "adapt": "adapt.adapt",
    "gate": "gate.gate",
    "quantise": "quantise.quantise",
    "export": "export.export",
    "demo": "about.demo",
    "models": "about.models",
    "doctor": "about.doctor",
    "serve": "serve.serve",
    "eval": "evaluation.evaluate",
}
GROUP = "data"  # `koutu data NAME`
IN_GROUP = {
    "audit": "audit.audit",
    "compose": "evaluation.compose",
    "matte": "matte.matte",
    "pack": "pack.pack",
    "render": "render.render",
}
ALL = (*COMMANDS, GROUP)

WITHOUT_VALUE = {"--ray": "auto"}  # options that may stand without a value, and the one they then have

app: typer.Typer  # with all commands; made when first asked for


class Command(TyperCommand):
    """A command whose options of `WITHOUT_VALUE` need none at the end or before another option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        bare = WITHOUT_VALUE.keys() & {option for parameter in self.params for option in parameter.opts}
        for i, word in enumerate(args):
            if word == "--":
                break
            if word in bare and (i + 1 == len(args) or args[i + 1].startswith("-")):
                args[i] = f"{word}={WITHOUT_VALUE[word]}"
        return super().parse_args(ctx, args)


def app_of(names: Iterable[str]) -> typer.Typer:
    """The command line with these commands alone."""
    made = typer.Typer(
        add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help=HELP
    )  # fmt: skip
    made.callback(invoke_without_command=True)(_top)
    for name in names:
        if name == GROUP:
            made.add_typer(_group(), name=name)
        else:
            made.command(name, cls=Command)(_function(COMMANDS[name]))
    return made


@cache
def _group() -> typer.Typer:
    from koutu.cli import data

    for name, place in IN_GROUP.items():
        data.app.command(name)(_function(place))
    return data.app


def _function(place: str) -> Any:
    module, name = place.split(".")
    return getattr(import_module(f"koutu.cli.{module}"), name)


def _top(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    if version:
        print(f"koutu {__version__}")
        raise typer.Exit


def _leave(*_: object) -> None:
    """Unwind, so that what is half-written is removed."""
    sys.exit(TERMINATED)


def main() -> None:
    """Entry point: every expected mistake ends in one sentence and an exit code, never in a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a pipe may know neither 抠 nor ×
    signal.signal(signal.SIGTERM, _leave)
    typed = [word for word in sys.argv[1:2] if word in ALL]
    try:
        app_of(typed or ALL)()
    except KoutuError as e:
        print(f"koutu: {e}", file=sys.stderr)
        sys.exit(e.exit_code)
    except SystemExit as e:
        if e.code in (INTERRUPTED, TERMINATED):  # the first is Typer's answer to Ctrl-C
            print("koutu: interrupted; nothing half-written was left", file=sys.stderr)
        raise


@cache
def _whole() -> typer.Typer:
    return app_of(ALL)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> typer.Typer:
        if name == "app":
            return _whole()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
