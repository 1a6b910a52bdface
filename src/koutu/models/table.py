"""The networks by name: what each needs, costs and may be used for; and how to build one.

Listing them imports nothing heavy; building one imports torch.
"""

import importlib
from dataclasses import dataclass, replace
from typing import Any

from koutu.types import ModelError


@dataclass(frozen=True)
class NetworkCard:
    """A network as published. params and gmacs are of the default variant, gmacs of one frame of (H, W) = `at`."""

    network: str  # "module:Class"
    paper: str
    needs: tuple[str, ...]
    params: int
    gmacs: float  # thousand millions of multiply-accumulates in convolutions and matrix products
    at: tuple[int, int]
    licence: str  # of the published weights
    weights: str  # where they are
    variants: str = ""  # of `VARIANTS`, in Markdown, as what follows: docs/networks.md shows it
    proved: str = ""  # what of it equals the published code
    mind: str = ""  # what its user must know


_NOT_HERE = "not distributed with koutu; give the published file by --weights"
_NONE = "none were published; train your own"
_NC = "CC BY-NC-SA 4.0: non-commercial"
_UNSAID = "no licence was given: all rights reserved"

_OURS = "trained by this project, see `koutu models`"

MODELS: dict[str, NetworkCard] = {
    "tmodnet": NetworkCard(
        "koutu.models.tmodnet:TMODNet", "this project; after Ke et al., AAAI 2022", (), 155_097, 0.66, (288, 512),
        "Apache-2.0", _OURS,
        variants="temporal, mirrored, single",
        mind=(
            "ours: MODNet's branches on a MobileNetV3 U-Net that begins from MediaPipe's selfie segmentation and "
            "sees a square of 256 pixels whatever the image, `mirrored` twice; the previous alpha as fourth "
            "channel; sides multiples of 8"
        ),
    ),
    "modnet": NetworkCard(
        "koutu.models.modnet:MODNet", "Ke et al., AAAI 2022", (), 6_487_075, 15.47, (512, 512), "Apache-2.0",
        _NOT_HERE,
        variants="published, temporal (previous alpha as fourth channel)",
        proved="exact",
        mind="sides multiples of 32; shorter side 512",
    ),
    "rvm": NetworkCard(
        "koutu.models.rvm:RVM", "Lin et al., WACV 2022", (), 3_748_633, 4.5, (288, 512), "GPL-3.0", _NOT_HERE,
        variants="mobilenetv3, resnet50, each also `_fgf`",
        proved="exact",
        mind="`downsample_ratio`, none given: longer side at most 512",
    ),
    "bgmv2": NetworkCard(
        "koutu.models.bgmv2:BackgroundMattingV2", "Lin et al., CVPR 2021", ("bgr",), 40_247_703, 34.21, (1080, 1920),
        "MIT", _NOT_HERE,
        variants="resnet50, mobilenetv2, resnet101, each also `_base`, `_k1`",
        proved="exact: all refinements",
        mind="`refine_mode` full, sampling, thresholding",
    ),
    "bgmv1": NetworkCard(
        "koutu.models.bgmv1:BackgroundMatting", "Sengupta et al., CVPR 2020", ("bgr", "seg"), 17_908_420, 402.37,
        (512, 512), _NC, _NOT_HERE,
        variants="corrected, published",
        proved="exact",
        mind="released weights need `variant=published`: the motion frames are ignored",
    ),
    "dim": NetworkCard(
        "koutu.models.dim:DIM", "Xu et al., CVPR 2017", ("trimap",), 130_613_698, 78.71, (320, 320),
        "of re-implementations; the data's licence is non-commercial", _NOT_HERE,
        variants="paper, mmagic, huochaitiantang (also `_stage1`, `_noskip`), indexnet",
        proved="huochaitiantang exact; counts of paper and mmagic",
        mind="no official code exists",
    ),
    "mgmatting": NetworkCard(
        "koutu.models.mgmatting:MGMatting", "Yu et al., CVPR 2021", ("mask",), 29_700_587, 57.67, (512, 512),
        "CC BY-NC 2.0: non-commercial", _NOT_HERE,
        variants="published, trimap",
        proved="exact",
        mind="training rule in `refined`; no foreground head was published",
    ),
    "sim": NetworkCard(
        "koutu.models.sim:SIM", "Sun et al., CVPR 2021", ("trimap",), 46_609_840, 97.37, (320, 320), _UNSAID,
        _NOT_HERE,
        variants="published, colours",
        proved="exact, trained mode",
        mind=(
            "knows what it cuts out with `--option classifier=FILE`, the checkpoint of its classifier; no class "
            "without"
        ),
    ),
    "shm": NetworkCard(
        "koutu.models.shm:SHM", "Chen et al., ACM MM 2018", (), 79_266_506, 139.13, (320, 320), _UNSAID, _NOT_HERE,
        variants="tsing90, light, light_corrected",
        proved="tsing90 exact; light: names and count",
        mind="official code was never released; `light` weights want swapped classes",
    ),
    "igf": NetworkCard(
        "koutu.models.igf:IGF", "Li et al., ICME 2020", ("mask",), 783_249, 1.75, (512, 512), "yours", _NONE,
        variants="default",
        mind="no code was published: see the module for what is known and what is ours",
    ),
    "u2net": NetworkCard(
        "koutu.models.u2net:U2Net", "Qin et al., Pattern Recognition 2020", (), 44_009_869, 58.6, (320, 320),
        "Apache-2.0", _NOT_HERE,
        variants="u2net, u2netp",
        proved="exact",
        mind="segmentation, 320×320",
    ),
    "stm": NetworkCard(
        "koutu.models.stm:STM", "Oh et al., ICCV 2019", ("mask",), 38_925_570, 192.61, (480, 864), _NC, _NOT_HERE,
        variants="mask, trimap",
        proved="exact to float32",
        mind=(
            "carries the first frame's mask or trimap through the video, for another network with `--propagate "
            "FILE`; bounded memory"
        ),
    ),
    "dvm": NetworkCard(
        "koutu.models.dvm:DVM", "Sun et al., CVPR 2021", ("trimap",), 319_178_764, 293.9, (320, 320), _UNSAID,
        _NOT_HERE,
        variants="corrected, published, published_unrefined",
        proved="names and count",
        mind="no reference output could be had; released weights need `crossed_padding` and sides over 192",
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
    return module.VARIANTS


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
