"""`koutu bench`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from koutu.cli import options

Models = Annotated[
    list[str], typer.Argument(metavar="[MODEL…]", help="Names of `koutu models`, .onnx files, NAME=WEIGHTS_FILE.")
]
Sizes = Annotated[list[str], typer.Option("--size", metavar="WxH", help="Of the frames; several, or A,B.")]
Threads = Annotated[list[str], typer.Option("--threads", metavar="N", help="Of the engine, 0 its choice; or 1,2.")]
Engines = Annotated[list[str], typer.Option("--engine", help="To try, of what each model has; its default without.")]
Precisions = Annotated[
    list[str], typer.Option("--precision", help="fp32, fp16, int8: the file, or NAME-int8.onnx beside it.")
]


def bench(
    models: Models = [],  # noqa: B006
    against: Annotated[str, typer.Option(metavar="MODEL", help="The reference; the default model if not given.")] = "",
    size: Sizes = ["1280x720"],  # noqa: B006
    threads: Threads = ["0"],  # noqa: B006
    engine: Engines = [],  # noqa: B006
    precision: Precisions = [],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=1, help="Of all models in turn.")] = 5,
    seconds: Annotated[float, typer.Option(min=0, help="Of each model in each round.")] = 1.0,
    memory: Annotated[bool, typer.Option(help="Peak memory too, in a process for each.")] = True,
    device: options.Device = "cpu",
    json: Annotated[Path | None, typer.Option("--json", readable=False, help="Write all rounds.")] = None,
    target: Annotated[
        str, typer.Option(help="ascend310, ascend310b or ascend310p: predict for that chip instead, layer by layer.")
    ] = "",
) -> None:
    """Measure how fast models matte the packaged sample, beside a reference, round after round.

    A model that fails is told at the end, the others are measured, and the exit code is 5. With --target nothing is
    measured: the time on a chip that is not here is predicted from its published numbers (docs/ascend.md).

    \b
    koutu bench
    koutu bench koutu --engine onnxruntime,openvino --size 640x360,1280x720 --threads 1,2
    koutu bench u2netp-onnx=u2netp.onnx mine.onnx --against koutu-small --json out.json
    koutu bench koutu-small modnet=random --size 512x512 --target ascend310
    """
    from koutu.bench import run, text
    from koutu.bench.cases import Plan, parse_size
    from koutu.types import InputError, ModelError, OutputError
    from koutu.zoo import DEFAULT

    numbers = _several(threads)
    if not all(number.isdecimal() for number in numbers):
        raise InputError(f"expected numbers of threads, got {', '.join(numbers)}; for example 1,2")
    if json and not json.parent.is_dir():
        raise OutputError(f"expected a folder for {json}, found no {json.parent}; make it first")
    if target:
        _predicted(models or [against or DEFAULT], target, _several(size), _several(precision) or ["fp16"], json)
        return
    plan = Plan(
        sizes=[parse_size(word) for word in _several(size)], threads=[int(number) for number in numbers],
        engines=_several(engine), precisions=_several(precision), against=against or DEFAULT, rounds=rounds,
        seconds=seconds, device=device, memory=memory,
    )  # fmt: skip
    content = run.bench(models or [plan.against], plan, tell=_tell)
    if json:
        run.save(content, json)
    for line in text.lines(content):
        print(line)
    if any(row["error"] for row in content["rows"]):
        raise typer.Exit(ModelError.exit_code)


def _predicted(models: list[str], target: str, sizes: list[str], precisions: list[str], json: Path | None) -> None:
    from koutu.bench import target_text
    from koutu.bench.cases import parse_size
    from koutu.bench.run import save
    from koutu.bench.target import predict
    from koutu.cli.gate import require

    require("a prediction", "onnx", "onnxslim", "torch")
    content = [
        predict(model, target, parse_size(size), precision)
        for model in models for size in sizes for precision in precisions
    ]  # fmt: skip
    if json:
        save({"predictions": content}, json)
    for i, prediction in enumerate(content):
        for line in ([""] if i else []) + list(target_text.lines(prediction)):
            print(line)


def _tell(line: str) -> None:
    start, end = ("\r\x1b[K", "") if sys.stderr.isatty() else ("", "\n")
    print(f"{start}{line}", end=end, file=sys.stderr, flush=True)


def _several(words: list[str]) -> list[str]:
    """["1,2", "4"] → ["1", "2", "4"]."""
    return [part for word in words for part in word.replace(",", " ").split()]
