"""The engines that run a koutu ONNX file, by the name that users give."""

from collections.abc import Callable

from koutu.engines.onnxruntime import OnnxBackend
from koutu.engines.openvino import OpenVinoBackend

ENGINES: dict[str, Callable[..., OnnxBackend | OpenVinoBackend]] = {
    "onnxruntime": OnnxBackend,
    "openvino": OpenVinoBackend,
}
