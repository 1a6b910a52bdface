"""The packaged networks: a literal table from a name to its weights, licence and data."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from koutu.runtime.backends import ENGINES, Backend
from koutu.types import ModelError

WEIGHTS = Path(__file__).parent / "weights"
SAMPLE = Path(__file__).parent / "sample"  # talk.mp4 and lake.jpg, made by tools/make_sample.py from CC0 pictures
DEFAULT = "modnet-small"
DEFAULT_ENGINE = "onnxruntime"


@dataclass(frozen=True)
class ModelCard:
    """What a user must know before running a network; the long form is docs/models.md."""

    file: str
    sha256: str
    summary: str
    licence: str
    data: str


MODELS: dict[str, ModelCard] = {
    "modnet-small": ModelCard(
        file="modnet-small.onnx",
        sha256="ec3b2dea193071ff660baa8e46abe7b199a9bd19871ea8fd1c89b99267aa2ef6",
        summary="MODNet with a small residual encoder and the previous alpha as fourth channel; portraits, video",
        licence="research only: part of its training pictures has no clear licence",
        data="masks: EG1800, CCP, Human-Segmentation-Dataset; solved mattes: London and Canada face sets, portraits",
    ),
}


def load(
    model: str | Path = DEFAULT, *, engine: str = DEFAULT_ENGINE, device: str = "cpu", threads: int = 0
) -> Backend:
    """A network ready to run: a name of `koutu models`, or the path of an ONNX file that koutu exported.

    engine: "onnxruntime" or "openvino"; device: "cpu", or what the engine offers ("cuda"; "gpu", "npu"); threads: 0
    for the engine's choice. Exactly what is asked for runs; ModelError says why it cannot.
    """
    if engine not in ENGINES:
        raise ModelError(f"expected an engine out of {', '.join(ENGINES)}, got {engine!r}; choose one of them")
    if threads < 0:
        raise ModelError(f"expected 0 threads (the engine's choice) or more, got {threads}; give a positive number")
    path = Path(model) if str(model).endswith(".onnx") else packaged(str(model))
    return ENGINES[engine](path, device=device, threads=threads)


def packaged(name: str) -> Path:
    """Where the weights of a packaged network lie, checked against the table."""
    card = MODELS.get(name)
    if card is None:
        known = ", ".join(MODELS)
        raise ModelError(f"expected a model out of {known} or an .onnx file's path, got {name!r}; see `koutu models`")
    path = WEIGHTS / card.file
    if not path.is_file():
        raise ModelError(f"the weights of {name} are missing at {path}; reinstall koutu")
    if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != card.sha256:
        raise ModelError(f"{path} is damaged: expected SHA-256 {card.sha256[:12]}…, got {found[:12]}…; reinstall koutu")
    return path
