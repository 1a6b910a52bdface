"""`koutu train`."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from koutu.cli import options


def train(
    recipe: Annotated[Path, typer.Argument(readable=False, help="A YAML file; recipes/ has one for every network.")],
    changes: options.Changes = None,
    output: Annotated[Path, typer.Option("--output", "-o", readable=False, help="Folder of the run.")] = Path("run"),
    accelerator: Annotated[
        str, typer.Option(help="Where to train: cpu, cuda or mps; auto takes the fastest there is.")
    ] = "auto",
    devices: Annotated[
        int,
        typer.Option(
            min=1, help="Processes on this machine, one for each device; under torchrun, as many as it starts."
        ),
    ] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines that train together.")] = 1,
    threads: Annotated[int, typer.Option(min=0, help="Threads of PyTorch; 0 leaves their number to the recipe.")] = 0,
) -> None:
    """Train a network by a recipe. The same command goes on where a run stopped, to the bit.

    Ctrl-C and SIGTERM let it finish the step and save first; a second one does not wait.

    The folder gets last.pt (to go on), weights.pt (for --weights), journal.jsonl and TensorBoard's files.

    \b
    koutu train recipes/modnet.yaml people=packs/people backgrounds=packs/backgrounds -o runs/modnet
    koutu train recipes/rvm.yaml stage1.steps=20000 lr=1e-4 precision=bf16-mixed --accelerator cuda
    torchrun --nproc-per-node 8 -m koutu train recipes/rvm.yaml --accelerator cuda --devices 8
    """
    from dataclasses import replace

    from koutu.train import require
    from koutu.types import InputError

    require()
    from lightning_fabric import Fabric

    from koutu.train.engine import Run, leave_group
    from koutu.train.interrupt import Interrupted
    from koutu.train.recipe import read_recipe
    from koutu.train.watch import Bar, closing

    given = read_recipe(recipe, changes or [])
    if threads:
        given = replace(given, threads=threads)
    try:
        fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, precision=given.precision)  # type: ignore[arg-type]
    except Exception as e:  # Lightning tells unknown devices and precisions in many ways
        raise InputError(f"expected devices that PyTorch has, got --accelerator {accelerator} ({e})") from e
    try:
        with Bar(recipe.stem) as watch:
            found = Run(given, output, fabric=fabric, watch=watch).train()
    except Interrupted as e:
        if not fabric.is_global_zero:
            raise typer.Exit(e.exit_code) from e
        raise Interrupted(f"{e}:\n  koutu {shlex.join(sys.argv[1:])}", e.exit_code - 128) from e
    finally:
        leave_group()
    if fabric.is_global_zero:
        for line in closing(found, output):
            print(line)
