"""What can be exported for, with what each takes: one table, so that what cannot be is refused at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from koutu.extras import pip_line
from koutu.types import InputError, ModelError


@dataclass(frozen=True)
class Target:
    """suffixes: of the file that -o names, the first for names without; none: a folder, which `converter` writes.

    precisions, preprocess: what can be asked for, the first is the default. any_size: whether one file may serve
    pictures of any size; view: (H, W) that a file of one size is for. modules: Python modules it needs, of the extras
    of pyproject.toml. why: why not the other precisions. check: module:function that refuses options the device lacks.
    tools: module:function that raises for want of what is no module.
    """

    title: str
    converter: str  # module:function
    suffixes: tuple[str, ...]
    precisions: tuple[str, ...] = ("fp32",)
    preprocess: tuple[str, ...] = ("inside", "outside")
    any_size: bool = False
    refines: bool = False  # whether the guided refinement may be part of the file
    reduces: bool = True  # whether a ratio may be
    modules: tuple[str, ...] = ("torch", "onnx", "onnxslim")
    extras: tuple[str, ...] = ("export",)
    why: str = ""
    view: tuple[int, int] = (720, 1280)
    check: str = ""
    tools: str = ""


# options of devices, and the flags that give them
FLAGS = {
    "soc": "--soc", "source_format": "--camera", "background": "--background", "settings": "--setting",
    "article": "--article",
}  # fmt: skip
_CHIP = "the chip computes in half floats; AIPP makes its numbers of the camera's bytes"
_INT8 = "int8 is made for onnx and openvino"

TARGETS: dict[str, Target] = {
    "onnx": Target(
        "ONNX", "koutu.export.targets.onnx:convert", (".onnx",), ("fp32", "fp16", "int8"), any_size=True, refines=True,
    ),
    "openvino": Target(
        "OpenVINO", "koutu.export.targets.openvino:convert", (".xml",), ("fp32", "fp16", "int8"), any_size=True,
        refines=True, modules=("torch", "onnx", "onnxslim", "openvino"), extras=("export", "openvino"),
    ),
    "tflite": Target(
        "TFLite", "koutu.export.targets.tflite:convert", (".tflite",), ("fp32",), refines=True,
        modules=("torch", "ai_edge_litert"), extras=("export", "tflite"),
        tools="koutu.export.targets.tools:require_litert",
        why=f"{_INT8}; a delegate of a phone computes in half floats by itself",
    ),
    "coreml": Target(
        "Core ML", "koutu.export.targets.coreml:convert", (".mlpackage",), ("fp16", "fp32"),
        modules=("torch", "coremltools"), extras=("export", "coreml"), why=_INT8,
    ),
    "ncnn": Target(
        "ncnn", "koutu.export.targets.ncnn:convert", (".param",), ("fp32", "fp16"), ("outside",),
        modules=("torch", "pnnx", "ncnn"), extras=("export", "ncnn"),
        why=f"{_INT8}; ncnn's own tools (ncnn2table, ncnn2int8) make it of the float32 files",
    ),
    "caffe": Target(
        "Caffe", "koutu.export.targets.caffe:convert", (".caffemodel", ".prototxt"), ("fp32",), ("outside",),
        tools="koutu.export.targets.tools:require_opencv4",
        why="Caffe's files hold float32; the device's converter makes half floats or bytes of them",
    ),
    "ascend": Target(
        "Ascend", "koutu.export.targets.ascend:write", (), ("fp16",), ("inside",), reduces=False, why=_CHIP,
        check="koutu.export.targets.ascend:check",
    ),
    "hilens": Target(
        "HiLens", "koutu.export.targets.hilens:write", (), ("fp16",), ("inside",), reduces=False, why=_CHIP,
        view=(640, 640), check="koutu.export.targets.hilens:check",
    ),
}  # fmt: skip


def target_of(name: str) -> Target:
    """The target; raises InputError for an unknown one."""
    if name not in TARGETS:
        raise InputError(f"expected a target out of {', '.join(TARGETS)}, got {name!r}; choose one with --to")
    return TARGETS[name]


def choose(name: str, what: str, asked: str, known: tuple[str, ...], why: str = "") -> str:
    """What is asked for, or the first of what the target knows; raises InputError for anything else."""
    if not asked:
        return known[0]
    if asked not in known:
        reason = f" ({why})" if why else ""
        raise InputError(f"expected --{what} {' or '.join(known)} for {name}, got {asked!r}{reason}; choose another")
    return asked


def require_tools(name: str) -> None:
    """Raise ModelError, with the remedy, if a module or another tool that the target needs is not there."""
    target = target_of(name)
    for module in target.modules:
        if find_spec(module) is None:
            raise ModelError(f"exporting for {name} needs {module}, which is not installed; {pip_line(*target.extras)}")
    if target.tools:
        _function(target.tools)()


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raise InputError for options that the target or the device does not have."""
    target = target_of(name)
    if target.check:
        _function(target.check)(options)
    elif given := [option for option, value in options.items() if value]:
        flag = FLAGS.get(given[0], given[0])
        raise InputError(f"expected {flag} with --to ascend or hilens, got it with {name}; leave it out")


def converter_of(target: Target) -> Any:
    """The function that writes the target's files."""
    return _function(target.converter)


def _function(place: str) -> Any:
    module, _, function = place.partition(":")
    return getattr(import_module(module), function)
