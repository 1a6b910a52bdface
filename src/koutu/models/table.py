"""The networks by name: what each needs, costs and may be used for; and how to build one.

Listing them imports nothing heavy; building one imports torch.
"""

import importlib
from dataclasses import dataclass, replace
from typing import Any

from koutu.types import ModelError


@dataclass(frozen=True)
class Card:
    """A network as published. params and gmacs are of the default variant, gmacs of one frame of (H, W) = `at`."""

    network: str  # "module:Class"
    paper: str
    needs: tuple[str, ...]
    params: int
    gmacs: float  # thousand millions of multiply-accumulates in convolutions and matrix products
    at: tuple[int, int]
    licence: str  # of the published weights
    weights: str  # where they are


_NOT_HERE = "not distributed with koutu; give the published file by --weights"
_NONE = "none were published; train your own"
_NC = "CC BY-NC-SA 4.0: non-commercial"
_UNSAID = "no licence was given: all rights reserved"

_OURS = "trained by this project, see `koutu models`"

MODELS: dict[str, Card] = {
    "tmodnet": Card(
        "koutu.models.tmodnet:TMODNet", "this project; after Ke et al., AAAI 2022", (), 155_097, 0.67, (288, 512),
        "Apache-2.0", _OURS,
    ),
    "modnet": Card(
        "koutu.models.modnet:MODNet", "Ke et al., AAAI 2022", (), 6_487_075, 15.47, (512, 512), "Apache-2.0", _NOT_HERE
    ),
    "rvm": Card("koutu.models.rvm:RVM", "Lin et al., WACV 2022", (), 3_748_633, 4.5, (288, 512), "GPL-3.0", _NOT_HERE),
    "bgmv2": Card(
        "koutu.models.bgmv2:BackgroundMattingV2", "Lin et al., CVPR 2021", ("bgr",), 40_247_703, 34.21, (1080, 1920),
        "MIT", _NOT_HERE,
    ),
    "bgmv1": Card(
        "koutu.models.bgmv1:BackgroundMatting", "Sengupta et al., CVPR 2020", ("bgr", "seg"), 17_908_420, 402.37,
        (512, 512), _NC, _NOT_HERE,
    ),
    "dim": Card(
        "koutu.models.dim:DIM", "Xu et al., CVPR 2017", ("trimap",), 130_613_698, 78.71, (320, 320),
        "of re-implementations; the data's licence is non-commercial", _NOT_HERE,
    ),
    "mgmatting": Card(
        "koutu.models.mgmatting:MGMatting", "Yu et al., CVPR 2021", ("mask",), 29_700_587, 57.67, (512, 512),
        "CC BY-NC 2.0: non-commercial", _NOT_HERE,
    ),
    "sim": Card(
        "koutu.models.sim:SIM", "Sun et al., CVPR 2021", ("trimap",), 46_609_840, 97.37, (320, 320), _UNSAID, _NOT_HERE
    ),
    "shm": Card(
        "koutu.models.shm:SHM", "Chen et al., ACM MM 2018", (), 79_266_506, 139.13, (320, 320), _UNSAID, _NOT_HERE
    ),
    "igf": Card("koutu.models.igf:IGF", "Li et al., ICME 2020", ("mask",), 783_249, 1.75, (512, 512), "yours", _NONE),
    "u2net": Card(
        "koutu.models.u2net:U2Net", "Qin et al., Pattern Recognition 2020", (), 44_009_869, 58.6, (320, 320),
        "Apache-2.0", _NOT_HERE,
    ),
    "stm": Card(
        "koutu.models.stm:STM", "Oh et al., ICCV 2019", ("mask",), 38_925_570, 192.61, (480, 864), _NC, _NOT_HERE
    ),
    "dvm": Card(
        "koutu.models.dvm:DVM", "Sun et al., CVPR 2021", ("trimap",), 319_178_764, 293.9, (320, 320), _UNSAID,
        _NOT_HERE,
    ),
}  # fmt: skip


def network(name: str) -> tuple[Any, Any]:
    """The network's class and the module it lives in; raises ModelError."""
    if name not in MODELS:
        raise ModelError(f"expected a network out of {', '.join(MODELS)}, got {name!r}; see `koutu models`")
    module_name, _, class_name = MODELS[name].network.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as e:
        if e.name != "torch":
            raise
        raise ModelError(f"{name} runs on PyTorch, which is not installed; install it with `pip install torch`") from e
    return getattr(module, class_name), module


def variants(name: str) -> dict[str, Any]:
    """The published configurations by name, the default first."""
    _, module = network(name)
    return getattr(module, "VARIANTS", None) or {"default": module.Config()}


def build(name: str, **options: Any) -> Any:
    """A network with random weights; options: fields of its Config, or `variant`, a name of `variants(name)`."""
    kind, module = network(name)
    known = variants(name)
    variant = options.pop("variant", next(iter(known)))
    if variant not in known:
        raise ModelError(f"expected a variant of {name} out of {', '.join(known)}, got {variant!r}; choose one")
    try:
        return kind(replace(known[variant], **options))
    except TypeError as e:
        fields = ", ".join(module.Config.__dataclass_fields__)
        raise ModelError(f"expected options of {name} out of {fields}, got {', '.join(options)}; correct them") from e
