"""Options that several commands share, and what the library makes of them."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from koutu.engines.backend import Backend
    from koutu.matting.hints import Hints


class Fit(str, Enum):
    """How a background meets the frame."""

    cover = "cover"
    contain = "contain"
    stretch = "stretch"


Model = Annotated[
    str, typer.Option("--model", "-m", help="A name of `koutu models`, an export (.onnx, .json), a .yaml description.")
]
Engine = Annotated[str, typer.Option(help="onnxruntime, openvino or torch; exactly what is asked for runs.")]
Device = Annotated[
    str, typer.Option(help="cpu, or what the engine offers: cuda (onnxruntime, torch), gpu, npu (openvino).")
]
Threads = Annotated[int, typer.Option(min=0, help="Threads of the engine; 0 for its own choice.")]
BackgroundFit = Annotated[Fit, typer.Option("--fit", help="How the background meets the frame.")]
Gate = Annotated[
    bool | None,
    typer.Option("--gate/--no-gate", help="Leave simple scenes to the network's cheap part; by default if it can."),
]
Steady = Annotated[
    bool | None,
    typer.Option("--steady/--no-steady", help="Carry alpha along against flicker; by default if it can."),
]
Weights = Annotated[str, typer.Option(help="Published checkpoint or file of a network of `koutu models`, or random.")]
Option = Annotated[list[str], typer.Option("--option", metavar="NAME=VALUE", help="Field of the network's Config.")]
Trimap = Annotated[Path | None, typer.Option(readable=False, help="Trimap: black, grey, white. Picture or video.")]
Mask = Annotated[str, typer.Option(help="Coarse mask, picture or video; or auto, by the default network.")]
Plate = Annotated[Path | None, typer.Option(readable=False, help="The scene without anybody, picture or video.")]
Fixed = Annotated[bool, typer.Option("--plate-fixed", help="The camera stood still: do not align the plate.")]
Propagate = Annotated[
    str, typer.Option(metavar="FILE", help="Checkpoint of STM: carries the first frame's mask or trimap on, for MODEL.")
]
Clicks = Annotated[str, typer.Option(help='Points "x,y x,y -x,y" on the person; a minus marks the background.')]
Radius = Annotated[int, typer.Option("--trimap-radius", help="Unknown band around a mask's edge, in pixels; -1: 2 %.")]

People = Annotated[Path | None, typer.Option(readable=False, help="Pack of people, with --backgrounds.")]
Backgrounds = Annotated[Path | None, typer.Option(readable=False, help="Pack of places.")]
Films = Annotated[list[Path] | None, typer.Option("--clip", readable=False, help="A film of your own; several.")]
SceneFrames = Annotated[int, typer.Option(min=2, help="Of each scene.")]
HeldOut = Annotated[int, typer.Option(min=1, help="As in training: 1 in so many people.")]
SceneSeed = Annotated[int, typer.Option(min=0, help="Of the scenes.")]


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
    from koutu.zoo import load

    given: dict[str, Any] = {name: v for name, v in (("model", model), ("engine", engine), ("weights", weights)) if v}
    more = parse_options(options or [])
    return load(**given, device=device, threads=threads, options=more, gate=gate, steady=steady)


def parse_options(words: list[str]) -> dict[str, Any]:
    """["refine_mode=full", "backbone_scale=0.25"] → a dictionary; values are Python literals, or else words."""
    import ast

    from koutu.types import ModelError

    options = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise ModelError(f"expected an option NAME=VALUE, got {word!r}; for example refine_mode=full")
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name] = value
    return options


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
