"""`koutu demo`, `koutu models` and `koutu doctor`."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", readable=False, help="Folder for the results.")] = Path(
        "koutu-demo"
    ),
) -> None:
    """Run the main job on a packaged sample: a composited video, its alpha, and both side by side."""
    from koutu.api import convert
    from koutu.files import folder
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


def models() -> None:
    """List what --model takes: packaged weights, networks of the field, and matting without a network."""
    from koutu import third_party
    from koutu.engines.described.description import read_description
    from koutu.models import MODELS as NETWORKS
    from koutu.zoo import BLAZEPOSE, DEFAULT, MODELS, WEIGHTS

    print("Packaged, ready to run:")
    size = {name: _size(WEIGHTS / card.file) for name, card in MODELS.items()}
    for name, card in MODELS.items():
        if card.float32:
            continue
        print(f"  {name}{' (default)' if name == DEFAULT else ''}  {size[name]}")
        print(f"    {card.summary}\n    licence: {card.licence}\n    data: {card.data}")
        for smaller, other in MODELS.items():
            if other.float32 == name:
                print(f"    also {smaller}, {size[smaller]}: {other.summary}")
    print("\nNetworks of the field, in PyTorch, with the weights their authors published:")
    for name, card in NETWORKS.items():
        needs = " + ".join(("picture", *card.needs))
        print(f"  {name}  {card.paper}; inputs: {needs}")
        height, width = card.at
        print(f"    {card.params:,} parameters, {card.gmacs:g} GMACs at {width}×{height}; licence: {card.licence}")
        print(f"    weights: {card.weights}")
    print("\nOther people's networks in their own files, given with --weights, to measure beside:")
    for name in third_party.names():
        peer = read_description(third_party.path(name))
        print(f"  {name}  {peer.title}; licence: {peer.licence}\n    file: {' or '.join(peer.files)}")
    print(f"  {BLAZEPOSE}  BlazePose's mask of one body; licence: Apache-2.0\n    folder: npm package @mediapipe/pose")
    print("\nWithout a network, by pymatting:")
    print("  closed-form  Levin et al., TPAMI 2008; inputs: picture + trimap\n  knn  Chen et al., TPAMI 2013; same")


def _size(file: Path) -> str:
    if file.is_file():
        return f"{file.stat().st_size / 1e6:.1f} MB"
    return "not installed: src/koutu/weights of koutu's repository has it, docs/models.md"


def doctor() -> None:
    """Tell what was found on this machine, what will run, and every version."""
    from koutu.doctor import examine

    healthy = True
    for line, fine in examine():
        healthy &= fine
        print(line)
    if not healthy:
        raise typer.Exit(5)
