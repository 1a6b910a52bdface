"""Command lines of Huawei's converters: atc of CANN for all chips, omg of the HiLens Kit's DDK for Caffe files."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from koutu.types import InputError

SOC = re.compile(r"Ascend310(B[1-4]|P[1-9])?")
FRAMEWORKS = {"caffe": 0, "onnx": 5}
PRECISIONS = ("force_fp16", "allow_fp32_to_fp16", "allow_mix_precision", "must_keep_origin_dtype")
IMPLEMENTATIONS = ("high_precision", "high_performance")
TYPES = ("FP32", "FP16")


@dataclass(frozen=True)
class Conversion:
    """What becomes of a network. name: of its files. shapes: of its inputs by name, in order; memory: those but the
    picture, whose AIPP is the file `aipp`.

    soc: Ascend310, Ascend310B1 … B4, Ascend310P1 …, as `npu-smi info` tells it with Ascend before it. memory_type: of
    the memory and of what comes out, FP32 or FP16; both lie in memory row by row. precision, implementation: atc's
    --precision_mode and --op_select_implmode. Raises InputError for what atc would refuse.
    """

    name: str
    soc: str
    shapes: Mapping[str, tuple[int, ...]]
    memory: tuple[str, ...] = ()
    aipp: str = "aipp.cfg"
    memory_type: str = "FP32"
    precision: str = "force_fp16"
    implementation: str = "high_precision"

    def __post_init__(self) -> None:
        choices = {
            self.memory_type: TYPES, self.precision: PRECISIONS, self.implementation: IMPLEMENTATIONS,
        }  # fmt: skip
        for value, known in choices.items():
            if value not in known:
                raise InputError(f"expected one of {', '.join(known)}, got {value!r}; choose one that atc knows")
        if not SOC.fullmatch(self.soc):
            raise InputError(
                f"expected a chip Ascend310, Ascend310B1 … B4 or Ascend310P1 … P9, got {self.soc!r}; "
                "`npu-smi info` on the device names it"
            )
        if self.soc == "Ascend310" and self.precision == "must_keep_origin_dtype":
            raise InputError("expected half floats on Ascend310, whose convolutions have no other, got float32")

    @property
    def input_shape(self) -> str:
        """src:1,3,H,W;prev:1,1,H,W"""
        return ";".join(f"{name}:{','.join(map(str, shape))}" for name, shape in self.shapes.items())


def atc(conversion: Conversion, framework: str = "onnx") -> list[str]:
    """The words of the atc command that builds NAME.om from NAME.onnx, or from NAME.prototxt and NAME.caffemodel."""
    name = conversion.name
    model = [f"--model={name}.onnx"] if framework == "onnx" else [f"--model={name}.prototxt"]
    if framework == "caffe":
        model += [f"--weight={name}.caffemodel"]
    half = conversion.memory if conversion.memory_type == "FP16" else ()
    return [
        "atc", *model, f"--framework={FRAMEWORKS[framework]}", f"--output={name}", f"--soc_version={conversion.soc}",
        "--input_format=NCHW", f"--input_shape={conversion.input_shape}", f"--insert_op_conf={conversion.aipp}",
        *([f"--input_fp16_nodes={';'.join(half)}"] if half else []),
        f"--output_type={conversion.memory_type}", f"--precision_mode={conversion.precision}",
        f"--op_select_implmode={conversion.implementation}", "--log=error",
    ]  # fmt: skip


def omg(conversion: Conversion) -> list[str]:
    """The words of the omg command of the HiLens Kit's DDK, for Caffe files; memory is float32."""
    if conversion.soc != "Ascend310" or conversion.memory_type != "FP32":
        raise InputError(
            f"expected Ascend310 and FP32 for omg, got {conversion.soc} and {conversion.memory_type}; use atc"
        )
    name = conversion.name
    return [
        "omg", f"--model={name}.prototxt", f"--weight={name}.caffemodel", f"--framework={FRAMEWORKS['caffe']}",
        f"--output={name}", f"--input_shape={conversion.input_shape}", f"--insert_op_conf={conversion.aipp}",
        f"--fp16_high_prec={int(conversion.implementation == 'high_precision')}",
    ]  # fmt: skip


def shell(words: list[str]) -> str:
    """The command over several lines, as a shell takes it."""
    return " \\\n  ".join(shlex.quote(word) for word in words)


def script(words: list[str], remedy: str) -> str:
    """A shell script that runs the command in its own folder, or says what is missing."""
    program = words[0]
    return (
        '#!/usr/bin/env bash\nset -euo pipefail\ncd "$(dirname "$0")"\n'
        f'command -v {program} >/dev/null || {{ echo "{program} is not on PATH: {remedy}" >&2; exit 1; }}\n'
        f"{shell(words)}\n"
    )
