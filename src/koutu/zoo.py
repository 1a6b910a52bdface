"""What can be loaded by name: the packaged weights, the networks of the field, and matting without a network."""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

from koutu import third_party
from koutu.classical import METHODS, Method
from koutu.defaults import CHOICE as CHOICE
from koutu.defaults import DEVICE, ENGINE, MODEL
from koutu.engines.backend import Backend
from koutu.engines.early_exit import GatedBackend, parts_of
from koutu.engines.exported.backend import ExportedBackend, card_of
from koutu.engines.exported.card import read_card
from koutu.engines.opinion import Opinion
from koutu.engines.solver import SolverBackend
from koutu.engines.stabilise import held_steady, remembers_alpha
from koutu.engines.table import ENGINES
from koutu.engines.torch import TorchBackend
from koutu.files import sha256_of
from koutu.models import MODELS as NETWORKS
from koutu.models import build, load_checkpoint
from koutu.types import ModelError

WEIGHTS = Path(__file__).parent / "weights"
SAMPLE = Path(__file__).parent / "sample"  # talk.mp4 and lake.jpg, made by tools/make_sample.py from CC0 pictures
DEFAULT, DEFAULT_ENGINE = MODEL, ENGINE
BLAZEPOSE = "blazepose"
OPINION = WEIGHTS / "opinion.onnx"  # of `load_opinion`, made by tools/second_opinion.py
_OPINION_SHA256 = "5e6c72747f08d0963ff5f101183bcdce40382c19cba58f787716885d22b64476"


@dataclass(frozen=True)
class ModelCard:
    """What a user must know before running a network; the long form is docs/models.md."""

    file: str
    sha256: str
    network: str  # of `koutu.models`, whose `checkpoint` lies beside `file`, for training on
    checkpoint: str
    pixels: int  # that it is shown
    summary: str
    licence: str
    data: str
    parts: tuple[str, ...] = ()  # SHA-256 of both parts for the gate, where it has one
    apart: bool = False  # in the repository alone, not in what pip installs
    float32: str = ""  # where this is a smaller file: the name of the same network in float32


_CLEAN = (
    "London and Canada face sets, GRID talkers (CC-BY 4.0), generated portraits (CC0), cut-outs (Apache-2.0); "
    "scenery (CC0, Unsplash, Pixabay)"
)

MODELS: dict[str, ModelCard] = {
    "koutu": ModelCard(
        file="koutu.onnx",
        sha256="e2cf218f325ef71d97a7c9092308ad2a1559f7efdff089d45eb90dc2deba53dd",
        network="tmodnet",
        checkpoint="koutu.pt",
        pixels=592 * 332,
        summary="temporal MODNet with two semantic branches, begun from MediaPipe's and BodyPix; portraits, video",
        licence="Apache-2.0",
        data=f"{_CLEAN}; rendered people, portraits of public servants (CC0), hands (MIT), signing clips (CC-BY 4.0)",
        parts=(
            "897be0c78458b89f4e6285cfd8ab4d5173e741932fcea10616e85a98dad22d98",
            "2864fbf43b660fbdf0baead5a1029a78477aaaa9f18648f0cb856cb3be2fea71",
        ),
    ),
    "koutu-small": ModelCard(
        file="koutu-small.onnx",
        sha256="caadf06064144cba035926dd63a38c5bc49c7e32d00209ae96d026d9f42e7791",
        network="tmodnet",
        checkpoint="koutu-small.pt",
        pixels=416 * 232,
        summary="a shape that koutu search chose: half the pixels and detail, no mirror image; a third of the time",
        licence="Apache-2.0",
        data=_CLEAN,
    ),
    "koutu-research": ModelCard(
        file="koutu-research.onnx",
        sha256="eb95b9c9f65efadd4650fc87360a925de860c0aaff0af51ba0382a0d2e0ac0a2",
        network="tmodnet",
        checkpoint="koutu-research.pt",
        pixels=592 * 332,
        summary="koutu, its second branch taught whole bodies by photographs without a clear licence and by RVM",
        licence="research only: pictures without a clear licence, and Robust Video Matting (GPL-3.0) as a teacher",
        data="as koutu; masks of EG1800, CCP, Human-Segmentation-Dataset; Robust Video Matting's answers",
        apart=True,
    ),
    "modnet-small-research": ModelCard(
        file="modnet-small-research.onnx",
        sha256="d5af610235c222af9c698c99f71f6950e106f8cea1aaea653cdddc534bd47722",
        network="modnet",
        checkpoint="modnet-small-research.pt",
        pixels=256 * 144,
        summary="MODNet with a small residual encoder and the previous alpha as fourth channel; portraits, video",
        licence="research only: part of its training pictures has no clear licence",
        data="masks: EG1800, CCP, Human-Segmentation-Dataset; solved mattes: London and Canada face sets, portraits",
        apart=True,
    ),
}


MODELS["koutu-fp16"] = replace(
    MODELS["koutu"],
    file="koutu-fp16.onnx",
    sha256="22cf4df09b597d0a05c5061bbc97d38a35ce3bfcf1661b4395968ce4a40320ec",
    summary="koutu in half floats",
    parts=(),
    float32="koutu",
    apart=True,
)


def load(
    model: str | Path = DEFAULT,
    *,
    engine: str | None = None,
    device: str = DEVICE,
    threads: int = 0,
    weights: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    gate: bool | None = False,
    steady: bool | None = None,
) -> Backend:
    """A backend ready to run: a name of `koutu models`, or the path of an ONNX file that koutu exported.

    Or the path of a YAML file that describes somebody else's network (docs/third-party.md); its file is `weights` then,
    or its files, NAME with {h} and {w} in it, of which every picture meets that of its own size.
    Or what `koutu export` wrote for any target: the card NAME.json, or the file beside it (docs/export.md).

    engine: of packaged weights and ONNX files "onnxruntime" (the default) or "openvino"; networks of the field run on
    "torch". device: "cpu", or what the engine offers ("cuda"; "gpu", "npu"); threads: 0 for the engine's choice.
    weights: a published checkpoint of a network of the field, or "random" to try it without; options: fields of its
    Config, `variant`, and for "sim" `classifier`, the checkpoint of its classifier. gate: leave simple scenes to the
    low-resolution branch (docs/gate.md), of ONNX files whose two calibrated parts lie beside them; None: where they do.
    steady: carry alpha along by optical flow against flicker (docs/steady.md), of ONNX files whose only memory is the
    previous alpha; None: where it is.
    Exactly what is asked for runs; ModelError says why it cannot.
    """
    if gate and not _is_onnx(model):
        raise ModelError(f"expected an ONNX file of koutu's with --gate, got {model}; leave it out")
    card = None if str(model) in MODELS else card_of(model)
    if card is not None and (gate or weights is not None or options):
        raise ModelError(f"expected no gate, weights or options with the export {model}, got some; leave them out")
    if steady and not _is_onnx(model) and card is None:
        raise ModelError(f"expected an ONNX file of koutu's with --steady, got {model}; leave it out")
    if threads < 0:
        raise ModelError(f"expected 0 threads (the engine's choice) or more, got {threads}; give a positive number")
    if str(model) in NETWORKS:
        _require_engine(engine, ("torch",))
        return _network(str(model), device, threads, weights, dict(options or {}))
    if str(model).endswith((".yaml", ".yml")) or str(model) in third_party.names():
        return _described(str(model), engine, device, threads, weights, options or {})
    if str(model) == BLAZEPOSE:
        return _blazepose(engine, device, threads, weights)
    if weights is not None or options:
        raise ModelError(
            f"expected weights and options with a network of the field, got them with {model}; leave them out"
        )
    if str(model) in METHODS:
        _require_engine(engine, ("pymatting",))
        return SolverBackend(cast("Method", str(model)))
    if card is not None:
        return _steadied(_exported(card, engine, device, threads), steady)
    _require_engine(engine, tuple(ENGINES))
    path = Path(model) if str(model).endswith(".onnx") else packaged(str(model))
    run = partial(ENGINES[engine or DEFAULT_ENGINE], device=device, threads=threads)
    return _steadied(run(path) if gate is False else _gated(path, run, required=bool(gate)), steady)


@lru_cache(maxsize=4)
def load_opinion(device: str = DEVICE, threads: int = 0) -> Opinion:
    """Two networks of others, for a second opinion of a still's matte (docs/opinion.md).

    device: "cuda" for that, all others mean the CPU; threads: 0 for the engine's choice. Raises ModelError.
    """
    _require_whole(OPINION, _OPINION_SHA256)
    return Opinion(OPINION, device=device if device == "cuda" else DEVICE, threads=threads)


def _exported(card: Path, engine: str | None, device: str, threads: int) -> Backend:
    """What `koutu export` wrote; packages for Ascend chips are simulated."""
    if read_card(card).target != "ascend":
        return ExportedBackend(card, engine=engine, device=device, threads=threads)
    from koutu.engines.ascend.backend import AscendBackend

    _require_engine(engine, ("onnxruntime",))
    return AscendBackend(card, device=device, threads=threads)


def _steadied(backend: Backend, steady: bool | None) -> Backend:
    """The backend held steady, if it is to be, or if it is not said and can be."""
    if steady and not remembers_alpha(backend):
        raise ModelError(f"expected a network that remembers its alpha with --steady, got {backend.name}; leave it out")
    return backend if steady is False else held_steady(backend)


def _gated(path: Path, run: Callable[[Path], Any], *, required: bool) -> Backend:
    """Both parts of a network behind the gate; unless `required`, the network itself where there is no gate."""
    low, rest = parts_of(path)
    if low.is_file() and rest.is_file():
        begin = run(low)
        if required or "gate" in begin.card:
            return GatedBackend(begin, run(rest), run(path))
    elif required:
        raise ModelError(
            f"expected {low.name} and {rest.name} beside {path} for the gate, found none; export the network with "
            "`python -m koutu.export.onnx`, or use --no-gate"
        )
    return run(path)


def _is_onnx(model: str | Path) -> bool:
    """Whether it runs from an ONNX file of koutu's own."""
    return str(model).endswith(".onnx") or str(model) in MODELS


def load_named(spec: str, **options: Any) -> Backend:
    """`load` for "NAME", or "NAME=FILE" with the weights that the network runs with; options: as of `load`."""
    name, given, weights = spec.partition("=")
    return load(name, weights=weights, **options) if given else load(spec, **options)


def parse_options(words: list[str]) -> dict[str, Any]:
    """["refine_mode=full", "backbone_scale=0.25"] → a dictionary; values are Python literals, or else words."""
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


def _require_engine(engine: str | None, known: tuple[str, ...]) -> None:
    if engine is not None and engine not in known:
        raise ModelError(f"expected an engine out of {', '.join(known)}, got {engine!r}; choose one of them")


def _network(name: str, device: str, threads: int, weights: str | Path | None, options: dict[str, Any]) -> Backend:
    if weights is None:
        raise ModelError(
            f"the weights of {name} are not distributed with koutu; give the published file with --weights, "
            "or --weights random to try the network without"
        )
    classifier = options.pop("classifier", None) if name == "sim" else None
    network = build(name, **options) if str(weights) == "random" else load_checkpoint(weights, name, **options)
    if classifier is not None:
        from koutu.models.checkpoint import fill
        from koutu.models.sim_classifier import InformedSIM, SIMClassifier

        network = InformedSIM(network, cast("SIMClassifier", fill(SIMClassifier(), classifier)))
    return TorchBackend(network, name, device=device, threads=threads)


def _described(
    model: str,
    engine: str | None,
    device: str,
    threads: int,
    weights: str | Path | None,
    options: Mapping[str, Any],
) -> Backend:
    from koutu.engines.described.backend import DescribedBackend
    from koutu.engines.described.description import read_description
    from koutu.engines.described.per_size import PerSizeBackend, is_template

    description = read_description(Path(model) if model.endswith((".yaml", ".yml")) else third_party.path(model))
    _require_engine(engine, ("onnxruntime",) if description.format == "onnx" else ("litert",))
    if weights is None:
        raise ModelError(
            f"the file of {model} ({' or '.join(description.files)}) is not distributed with koutu; "
            f"get it from {description.source} and give it with --weights, or where networks are given as NAME=FILE"
        )
    if is_template(str(weights)):
        return PerSizeBackend(description, str(weights), device=device, threads=threads, constants=options)
    return DescribedBackend(description, Path(weights), device=device, threads=threads, constants=options)


def _blazepose(engine: str | None, device: str, threads: int, weights: str | Path | None) -> Backend:
    from koutu.engines.blazepose import BlazePoseBackend

    _require_engine(engine, ("litert",))
    if weights is None:
        raise ModelError(
            "the files of blazepose are not distributed with koutu; give the folder of the npm package "
            "@mediapipe/pose with --weights, or where networks are given as NAME=FOLDER"
        )
    return BlazePoseBackend(Path(weights), device=device, threads=threads)


def packaged(name: str) -> Path:
    """Where the weights of a packaged network lie, checked against the table."""
    card = MODELS.get(name)
    if card is None:
        known = ", ".join([*MODELS, *NETWORKS, *METHODS, *third_party.names(), BLAZEPOSE])
        raise ModelError(
            f"expected a model out of {known} or an .onnx or .yaml file's path, got {name!r}; see `koutu models`"
        )
    path = WEIGHTS / card.file
    expected = {path: card.sha256} | (dict(zip(parts_of(path), card.parts, strict=True)) if card.parts else {})
    for file, sha256 in expected.items():
        _require_there(name, file)
        _require_whole(file, sha256)
    return path


def _require_whole(file: Path, sha256: str) -> None:
    if not file.is_file():
        raise ModelError(f"the weights at {file} are missing; reinstall koutu")
    if (found := sha256_of(file)) != sha256:
        raise ModelError(f"{file} is damaged: expected SHA-256 {sha256[:12]}…, got {found[:12]}…; reinstall koutu")


def checkpoint_of(name: str) -> Path:
    """Where the checkpoint of a packaged network lies, with its training heads."""
    path = WEIGHTS / MODELS[name].checkpoint
    _require_there(name, path)
    return path


def _require_there(name: str, file: Path) -> None:
    if file.is_file():
        return
    if MODELS[name].apart:
        raise ModelError(
            f"expected the weights of {name} at {file}, which pip does not install, for their size; put {file.name} "
            "there, out of src/koutu/weights of koutu's repository"
        )
    raise ModelError(f"the weights of {name} are missing at {file}; reinstall koutu")
