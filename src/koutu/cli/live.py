"""`koutu live`."""

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli import options
from koutu.cli.options import load_backend, make_hints
from koutu.defaults import DEVICE
from koutu.live.options import Encoding, LiveOptions, Patience, Quality, Reading

if TYPE_CHECKING:
    from koutu.engines.backend import Backend
    from koutu.live.controls import Desk

OFFERED = ("blur", "green", "#203040")  # backgrounds that can be chosen beside those given


def live(
    source: Annotated[
        str, typer.Argument(metavar="[IN]", help="Camera number, /dev/videoN, FORMAT:DEVICE, screen, file, address.")
    ] = "0",
    out: Annotated[
        list[str],
        typer.Option(
            "--out",
            "-o",
            help="window, page[:PORT], virtual-camera, file, .m3u8, rtmp://…, rtsp://…; give it again for more.",
        ),
    ] = ["page"],  # noqa: B006
    background: Annotated[
        list[str],
        typer.Option(
            "--background",
            "-b",
            help=f"Behind the person: image or video file, {options.BEHIND}; given again, more to choose from.",
        ),
    ] = ["blur"],  # noqa: B006
    model: Annotated[
        list[str],
        typer.Option("--model", "-m", help="Model as of koutu video; the first one runs, the others can be chosen."),
    ] = [],  # noqa: B006
    weights: options.Weights = "",
    option: options.Option = [],  # noqa: B006
    mask: options.Mask = "",
    plate: options.Plate = None,
    plate_fixed: options.Fixed = False,
    engine: options.Engine = "",
    device: options.Device = DEVICE,
    threads: options.Threads = 0,
    gate: options.Gate = None,
    steady: options.Steady = None,
    fit: options.BackgroundFit = options.FIT,
    mirror: Annotated[bool, typer.Option("--mirror", help="Exchange left and right.")] = False,
    size: Annotated[
        str, typer.Option(metavar="WxH", help="Pixels of the camera's or screen's frames; its own if not given.")
    ] = "",
    fps: Annotated[
        float, typer.Option(min=0.0, help="Pictures a second of the camera or screen; 0 leaves it as it is.")
    ] = 0.0,
    input_option: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUE", help="An option of FFmpeg's for the source, such as input_format=mjpeg; several."
        ),
    ] = [],  # noqa: B006
    loop: Annotated[bool, typer.Option("--loop", help="Begin a video again at its end.")] = Reading.loop,
    network_size: Annotated[
        str, typer.Option(help="Share of the network's pixels that it gets: 1, 0.7, 0.5 …; auto follows the speed.")
    ] = "auto",
    hold: Annotated[
        float, typer.Option(min=1.0, help="Pictures a second below which auto makes the network smaller.")
    ] = LiveOptions.hold,
    refine: options.Refine = Quality.refine,
    zoom: options.Zoom = Quality.zoom,
    decontaminate: options.Decontaminate = Quality.decontaminate,
    audio: options.Audio = Reading.audio,
    microphone: Annotated[
        str,
        typer.Option(metavar="DEVICE", help="Sound from default, alsa:hw:1, dshow:audio=NAME … instead of the source."),
    ] = "",
    preset: options.Preset = Encoding.preset,
    crf: options.Crf = Encoding.crf,
    bitrate: Annotated[int, typer.Option(min=100, help="Kilobits a second of streams.")] = Encoding.bitrate,
    patience: Annotated[
        float, typer.Option(min=0.0, help="Seconds that a lost source or receiver has to come back.")
    ] = Patience.seconds,
    seconds: Annotated[float, typer.Option(min=0.0, help="Seconds after which it ends; 0 is never.")] = 0.0,
) -> None:
    """Put another background behind a camera, a stream, the screen or a video, as it happens.

    \b
    koutu live                                                     # the first camera, on a page in the browser
    koutu live 0 -o window -o talk.mp4 -b beach.jpg -b blur         # b changes the background, ? lists the keys
    koutu live /dev/video2 -o virtual-camera --size 1280x720
    koutu live rtsp://camera.local/main -o rtmp://example.org/live/KEY -b '#204060'
    koutu live talk.mp4 -o live/talk.m3u8 --loop
    """
    from koutu.live.controls import Desk, LiveSettings
    from koutu.live.microphone import microphone_of
    from koutu.live.run import Live
    from koutu.live.source_address import DeviceRequest, parse_source
    from koutu.live.terminal import Screen, summary
    from koutu.types import InputError
    from koutu.zoo import CHOICE

    if microphone and not audio:
        raise InputError("expected sound with --microphone, got --no-audio; leave one of them out")
    place = parse_source(source, DeviceRequest(_size(size), fps or None, _pairs(input_option)))
    screen, models = Screen(), [*model, *CHOICE]

    def load(name: str, gated: bool | None) -> "Backend":
        # Weights and options belong to the model that was named first.
        more = (weights, option) if name == models[0] else ("", [])
        return load_backend(name, engine, device, threads, *more, gate=gated, steady=steady)

    settings = LiveSettings(background[0], models[0], gate, mirror, size=_share(network_size))
    desk = Desk(settings, load, fit=fit.value, tell=screen.tell)
    _offer(desk, [*background, *OFFERED], models)
    run = Live(
        place, out, desk, hints=make_hints(None, mask, plate, "", -1, plate_fixed), tell=screen.tell,
        options=LiveOptions(
            Reading(audio, loop, patience), microphone_of(microphone) if microphone else None,
            Encoding(preset, crf, bitrate), Quality(refine, decontaminate, zoom), Patience(patience), hold,
            seconds or None,
        ),
    )  # fmt: skip
    report = screen.attend(run)
    for line in summary(run, report):
        print(line, file=sys.stderr)
    for error in report.errors:
        print(f"koutu: {error}", file=sys.stderr)
    if report.errors:
        raise typer.Exit(report.errors[0].exit_code)


def _offer(desk: "Desk", backgrounds: list[str], models: list[str]) -> None:
    """What keys and page choose from, beside what is in use."""
    for background in backgrounds:
        desk.offer(background)
    for model in models:
        if not model.endswith("-research"):
            desk.offer(model=model)


def _size(text: str) -> tuple[int, int] | None:
    from koutu.types import InputError

    found = re.fullmatch(r"(\d+)[x×](\d+)", text)
    if text and not found:
        raise InputError(f"expected a size WxH, got {text!r}; for example 1280x720")
    return (int(found[1]), int(found[2])) if found else None


def _share(text: str) -> float | str:
    from koutu.live.controls import AUTO
    from koutu.live.resizable_backend import SHARES
    from koutu.types import ModelError

    shares = {f"{share:g}": share for share in SHARES}
    if text != AUTO and text not in shares:
        raise ModelError(f"expected a network size of auto, {', '.join(shares)}, got {text!r}; choose one")
    return shares.get(text, AUTO)


def _pairs(words: list[str]) -> dict[str, str]:
    from koutu.types import InputError

    for word in words:
        if not word.partition("=")[1]:
            raise InputError(f"expected NAME=VALUE for the source, got {word!r}; for example input_format=mjpeg")
    return {name: value for name, _, value in (word.partition("=") for word in words)}
