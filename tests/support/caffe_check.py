"""Caffe files against the ONNX file they were made of: OpenCV 4's Caffe importer beside ONNX Runtime.

OpenCV 5 reads Caffe no more: see `koutu.engines.exported.caffe` for where OpenCV 4 comes from.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.exported.caffe import CaffeGraph
from koutu.export.caffe.schema import messages
from koutu.export.caffe.write import files_of
from koutu.types import InputError, ModelError

Feeds = Mapping[str, NDArray[Any]]
Found = dict[str, NDArray[Any]]


def difference(
    prefix: str | Path, onnx_path: str | Path, inputs: Feeds | Sequence[Feeds], states: Mapping[str, str] | None = None
) -> float:
    """Largest difference of any output between PREFIX's Caffe files and the ONNX file, over one frame or many.

    inputs: arrays by name, float32, of each frame. states: {"prev": "pha"} has both sides feed their own output pha of
    the frame before as prev where a frame brings none. Raises ModelError without OpenCV 4, or if it cannot run them.
    """
    frames = [inputs] if isinstance(inputs, Mapping) else list(inputs)
    states = dict(states or {})
    true = by_onnx(onnx_path, frames, states)
    found = by_opencv(prefix, frames, states)
    if set(true[0]) != set(found[0]):
        raise ModelError(f"expected outputs {sorted(true[0])}, {prefix}.prototxt has {sorted(found[0])}")
    pairs = [(t[name], f[name]) for t, f in zip(true, found, strict=True) for name in t]
    return max(float(np.abs(t - f.reshape(t.shape)).max()) for t, f in pairs)


def by_onnx(path: str | Path, frames: Sequence[Feeds], states: Mapping[str, str]) -> list[Found]:
    """Outputs of each frame by name, in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return _rolled_out(lambda feeds: [np.asarray(value) for value in session.run(None, feeds)], names, frames, states)


def by_opencv(prefix: str | Path, frames: Sequence[Feeds], states: Mapping[str, str]) -> list[Found]:
    """Outputs of each frame by name, in OpenCV 4, in a process of its own."""
    files = files_of(prefix)
    if missing := [str(file) for file in (files.prototxt, files.caffemodel) if not file.is_file()]:
        raise InputError(f"expected Caffe files, found no {' and no '.join(missing)}; write them with write_caffe")
    if any(name not in feeds and not i for i, feeds in enumerate(frames) for name in states):
        raise InputError(f"expected the first frame to bring {', '.join(states)}; give zeros")
    names, graph = outputs_of(files.prototxt), CaffeGraph(files.caffemodel)
    try:
        return _rolled_out(lambda feeds: graph.run(feeds, names), names, frames, states)
    finally:
        graph.close()


def outputs_of(prototxt: Path) -> list[str]:
    """Names of a network's outputs: for Caffe, what no layer reads."""
    from google.protobuf import text_format

    layers = text_format.Parse(prototxt.read_text(), messages().NetParameter()).layer
    read = {name for layer in layers for name in layer.bottom}
    return [name for layer in layers for name in layer.top if name not in read]


def _rolled_out(
    run: Callable[[dict[str, Any]], Sequence[Any]], names: list[str], frames: Sequence[Feeds], states: Mapping[str, str]
) -> list[Found]:
    """Frame after frame, each with what the one before remembered."""
    results: list[Found] = []
    for feeds in frames:
        fed = {name: results[-1][output] for name, output in states.items() if name not in feeds}
        results.append(dict(zip(names, run({**feeds, **fed}), strict=True)))
    return results
