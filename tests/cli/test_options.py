"""The command line's defaults are the library's own, its options are told in sentences, and importing it is light."""

import inspect
import subprocess
import sys
from enum import Enum
from typing import Any

import pytest
import typer

from koutu import api, zoo
from koutu.batch.options import ItemOptions
from koutu.batch.plan import BatchPlan
from koutu.bench.plan import BenchPlan
from koutu.cli import app
from koutu.cli.options import parse_size
from koutu.cli.serve import parse_workers
from koutu.data.mattes.clip_plan import ClipPlan
from koutu.data.mattes.plan import MattePlan
from koutu.data.packs.plan import AuditPlan, PackPlan
from koutu.evaluation.settings import MeasureSettings, SetRecipe
from koutu.export.defaults import ALLOWED, FRAMES, TOLERANCE, SceneSources
from koutu.live.options import Encoding, LiveOptions, Patience, Quality, Reading
from koutu.media.containers import EncodeOptions
from koutu.pipeline.look import Look
from koutu.search.plan import SearchPlan
from koutu.server.settings import Limits, ServerSettings
from koutu.train.adapt_options import AdaptOptions
from koutu.types import InputError


def commands(group: Any = None, name: str = "") -> dict[str, Any]:
    """Every command by its words: "data check"."""
    group = group or typer.main.get_command(app)
    found = {}
    for word, command in group.commands.items():
        words = f"{name} {word}".strip()
        found |= commands(command, words) if hasattr(command, "commands") else {words: command}
    return found


COMMANDS = commands()
OPTIONS = [(words, o) for words, command in COMMANDS.items() for o in command.params if o.name != "help"]


def default(words: str, option: str) -> Any:
    """What the option is if not given; the value of an enumeration, a tuple of several."""
    found = next(o.default for o in COMMANDS[words].params if o.name == option)
    found = found.value if isinstance(found, Enum) else found
    return tuple(found) if isinstance(found, list) else found


def of(defaults: Any, *same: str, **other: str) -> dict[str, Any]:
    """Option → default of a dataclass, under the same name or another."""
    return {name: getattr(defaults, field) for name, field in {**{n: n for n in same}, **other}.items()}


def of_call(function: Any, *names: str) -> dict[str, Any]:
    """Option → default of a function's parameter."""
    return {name: inspect.signature(function).parameters[name].default for name in names}


LOADED = of_call(zoo.load, "device", "threads", "steady")
FROM = {
    "video": {
        **of(Look(), "background", "fit", "smooth", "refine", "decontaminate", "zoom", "opinion"),
        "hold": not Look().loop,
        **of(EncodeOptions(), "codec", "preset", "crf", "depth", "audio"), **of_call(api.convert, "keep"), **LOADED,
    },
    "batch": {
        **of(BatchPlan(), "workers", "max_memory", "segment", "review", "retry_failed"),
        **of(ItemOptions(), "background", "fit", "hold", "smooth", "refine", "zoom", "decontaminate", "premultiplied",
             "alpha", "format", "image_format", "model", "weights", "option", "engine", "device", "threads", "gate",
             "steady", "mask", "plate_fixed", "clicks", "trimap_radius", "codec", "preset", "crf", "alpha_crf", "depth",
             "sdr", "audio"),
    },
    "image": {**of_call(api.convert_image, "background", "fit", "alpha_only", "multilevel", "zoom", "solve", "opinion"),
              **of_call(zoo.load, "device", "threads")},
    "review": of_call(zoo.load, "device", "threads"),
    "trimap": of_call(zoo.load, "device"),
    "live": {
        **of(Reading(), "audio", "loop"), **of(Quality(), "refine", "decontaminate", "zoom"), "fit": Look().fit,
        **of(Encoding(), "preset", "crf", "bitrate"), **of(LiveOptions(), "hold"),
        "patience": Reading().patience, **LOADED,
    },
    "serve": {
        **of(ServerSettings(), "host", "port", "model", "device", "token", "insecure", "jobs_folder", "workers",
             "threads", "cert", "key", "trust_proxy", allow_host="allow_hosts", allow_origin="allow_origins",
             ice_server="ice_servers"),
        **of(Limits(), "upload_mb", "megapixels", "requests", "video_mb", "video_seconds", "jobs", "keep_minutes",
             "viewers", "idle_seconds"),
    },
    "eval": {**of(SetRecipe(), "seed", "frames", "cause"),
             **of(MeasureSettings(), "perceptual", "recovery", "looks", "zoom", "opinion", "trimap_radius"), **LOADED},
    "data compose": of(SetRecipe(), "seed", "frames", "cause"),
    "data matte": {**of(MattePlan(), "mirrored", "long_side", "method", network="networks", keep_pictures="pictures"),
                   **of(ClipPlan(), "every", "frames", "plate")},
    "data pack": of(PackPlan(), "backgrounds", "emptied", "long_side", "frames", "exclude", "threads", "clean",
                    "shard_mb"),
    "data audit": of(AuditPlan(), "count", "seed"),
    "adapt": of(AdaptOptions(), "frames", "minutes", "epochs", "lr", "seed", "pixels"),
    "search": of(SearchPlan(), "population", "generations", "clips", "engine", "threads", "seed", budget_ms="budget"),
    "bench": {**of(BenchPlan(), "against", "rounds", "seconds", "device", "memory", engine="engines",
                   precision="precisions"),
              "threads": tuple(str(n) for n in BenchPlan().threads),
              "size": tuple(f"{w}x{h}" for h, w in BenchPlan().sizes)},
    "gate": {**{name: getattr(SceneSources, name) for name in ("scenes", "frames", "held_out", "seed")},
             "allowed": ALLOWED},
    "quantise": {"held_out": SceneSources.held_out, "seed": SceneSources.seed, "tolerance": TOLERANCE},
    "export": {"frames": FRAMES, "tolerance": TOLERANCE},
}  # fmt: skip


@pytest.mark.parametrize("words", FROM)
def test_defaults_are_those_of_the_library(words):
    assert {name: default(words, name) for name in FROM[words]} == FROM[words]


def test_the_function_looks_as_the_class():
    names = ("background", "fit", "loop", "decontaminate", "refine", "smooth", "zoom", "opinion")
    assert of_call(api.convert, *names) == of(Look(), *names)


def test_one_patience_is_given_to_source_and_receivers():
    assert Reading().patience == Patience().seconds


@pytest.mark.parametrize(("words", "option"), OPTIONS, ids=lambda x: getattr(x, "name", x))
def test_options_are_told_in_sentences(words, option):
    text = option.help
    assert text and text.endswith((".", "…")), f"{words} {option.name}: {text!r}"
    assert not text.startswith(("Of ", "Its ", "As ", "In ", "To try", "That read")), f"{words} {option.name}: {text!r}"
    assert len(text.split()) > 1


@pytest.mark.parametrize(
    "name", ["engine", "weights", "option", "plate", "clicks", "steady", "gate", "device", "seed", "fit"]
)
def test_what_an_option_means_is_told_once(name):
    texts = {o.help for words, o in OPTIONS if o.name == name and not o.multiple and words != "search"}
    assert len(texts) <= 1, texts


def test_telling_the_options_loads_nothing_heavy():
    heavy = ("torch", "cv2", "av", "onnxruntime", "openvino", "PIL", "fastapi")
    code = "import sys, typer, koutu.cli; typer.main.get_command(koutu.cli.app); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(out.stdout.split()) & set(heavy)


def test_only_the_typed_command_is_imported():
    code = "import sys, typer, koutu.cli; typer.main.get_command(koutu.cli.app_of(['video'])); import koutu.api"
    out = subprocess.run(
        [sys.executable, "-c", f"{code}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    found = set(out.stdout.split())
    assert "koutu.cli.video" in found and not found & {"koutu.cli.export", "koutu.cli.live", "koutu.review", "asyncio"}


def test_workers_are_a_number_or_a_cluster():
    assert [parse_workers(text) for text in ("3", "auto", "ray://head", "head:6379")] == [
        3, "auto", "ray://head", "head:6379",
    ]  # fmt: skip
    with pytest.raises(typer.BadParameter, match="expected a number, auto, HOST:PORT or ray://HOST, got 'many'"):
        parse_workers("many")


@pytest.mark.parametrize(
    ("typed", "ray"),
    [
        ("a.mp4 -o out --ray", "auto"),
        ("a.mp4 --ray -o out", "auto"),
        ("a.mp4 -o out --ray head:6379", "head:6379"),
        ("a.mp4 -o out", ""),
    ],
)
def test_a_cluster_may_be_named_or_not(typed, ray):
    command = vars(typer.main.get_command(app))["commands"]["batch"]
    given = command.make_context("batch", typed.split()).params
    assert (given["ray"], list(given["sources"]), str(given["target"])) == (ray, ["a.mp4"], "out")


def test_a_size_is_width_by_height():
    assert parse_size("1280x720") == parse_size("1280×720") == (720, 1280)
    for text, least in (("1280", 1), ("0x720", 1), ("axb", 1), ("512x16", 32)):
        with pytest.raises(InputError, match="WIDTHxHEIGHT"):
            parse_size(text, least)
