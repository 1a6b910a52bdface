"""`koutu bench`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from koutu.bench.plan import BenchPlan
from koutu.cli import options

Models = Annotated[
    list[str],
    typer.Argument(metavar="[MODEL…]", help="Names of `koutu models`, .onnx files, or NAME=FILE with its weights."),
]
Sizes = Annotated[
    list[str], typer.Option("--size", metavar="WxH", help="Pixels of the frames; several: A,B or given again.")
]
Threads = Annotated[
    list[str],
    typer.Option("--threads", metavar="N", help="Threads of the engine, 0 leaves their number to it; several: 1,2."),
]
Engines = Annotated[
    list[str], typer.Option("--engine", help="Engines to try of those each model has; its default one if not given.")
]
Precisions = Annotated[
    list[str],
    typer.Option(
        "--precision", help="fp32, fp16 or int8 of each model, from NAME-int8.onnx beside it; as it is if not given."
    ),
]
_SIZES = ["{1}x{0}".format(*size) for size in BenchPlan.sizes]
_THREADS = [str(number) for number in BenchPlan.threads]


def bench(
    models: Models = [],  # noqa: B006
    against: Annotated[
        str, typer.Option(metavar="MODEL", help="Model that every round measures too, as the reference.")
    ] = BenchPlan.against,
    size: Sizes = _SIZES,
    threads: Threads = _THREADS,
    engine: Engines = [],  # noqa: B006
    precision: Precisions = [],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, each of which measures all models.")] = BenchPlan.rounds,
    seconds: Annotated[
        float, typer.Option(min=0, help="Seconds for which a round measures each model.")
    ] = BenchPlan.seconds,
    memory: Annotated[
        bool, typer.Option(help="Measure peak memory too, in a process of its own for each model.")
    ] = BenchPlan.memory,
    device: options.Device = BenchPlan.device,
    json: Annotated[
        Path | None, typer.Option("--json", readable=False, help="Write the figures of all rounds as JSON.")
    ] = None,
    target: Annotated[
        str, typer.Option(help="ascend310, ascend310b or ascend310p: predict the time on that chip, layer by layer.")
    ] = "",
) -> None:
    """Measure how fast models matte the packaged sample, beside a reference, round after round.

    FILE may have {h} and {w} in it: each size then has the file of its own. A model that fails is reported at the end,
    the others are measured, and the exit code is 5. With --target nothing is measured: the time on a chip that is not
    here is predicted from its published numbers (docs/ascend.md).

    \b
    koutu bench
    koutu bench koutu --engine onnxruntime,openvino --size 640x360,1280x720 --threads 1,2
    koutu bench u2netp-onnx=u2netp.onnx mine.onnx --against koutu-small --json out.json
    koutu bench koutu-small modnet=random --size 512x512 --target ascend310
    """
    from koutu.bench import run, text
    from koutu.types import InputError, ModelError, OutputError

    numbers = _several(threads)
    if not all(number.isdecimal() for number in numbers):
        raise InputError(f"expected numbers of threads, got {', '.join(numbers)}; for example 1,2")
    if json and not json.parent.is_dir():
        raise OutputError(f"expected a folder for {json}, found no {json.parent}; make it first")
    if target:
        _predicted(models or [against], target, _several(size), _several(precision) or ["fp16"], json)
        return
    plan = BenchPlan(
        sizes=[options.parse_size(word) for word in _several(size)], threads=[int(number) for number in numbers],
        engines=_several(engine), precisions=_several(precision), against=against, rounds=rounds,
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
    from koutu.bench.run import save
    from koutu.bench.target import predict
    from koutu.cli.gate import require

    require("a prediction", "onnx", "onnxslim", "torch")
    content = [
        predict(model, target, options.parse_size(size), precision)
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
