"""Caffe files against the ONNX file they were made of: OpenCV 4's Caffe importer beside ONNX Runtime.

OpenCV 5 reads Caffe no more, so that OpenCV 4 lives in a folder of its own, which KOUTU_OPENCV4 names:
pip install --target DIR --no-deps opencv-python-headless==4.14.0.94
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.export.caffe.write import files_of
from koutu.types import InputError, ModelError

FOLDER = "KOUTU_OPENCV4"
_OURS = 'type: "DepthwiseConvolution"'  # as the kit has it
_THEIRS = 'type: "ConvolutionDepthwise"'  # the same, as OpenCV has it

Feeds = Mapping[str, NDArray[Any]]


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
        raise ModelError(f"expected outputs {sorted(true[0])}, OpenCV finds {sorted(found[0])} in {prefix}.prototxt")
    pairs = [(t[name], f[name]) for t, f in zip(true, found, strict=True) for name in t]
    return max(float(np.abs(t - f.reshape(t.shape)).max()) for t, f in pairs)


def by_onnx(path: str | Path, frames: Sequence[Feeds], states: Mapping[str, str]) -> list[dict[str, NDArray[Any]]]:
    """Outputs of each frame by name, in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    results: list[dict[str, NDArray[Any]]] = []
    for feeds in frames:
        fed = {name: results[-1][output] for name, output in states.items() if name not in feeds}
        values = session.run(None, {**feeds, **fed})
        results.append({name: np.asarray(value) for name, value in zip(names, values, strict=True)})
    return results


def by_opencv(prefix: str | Path, frames: Sequence[Feeds], states: Mapping[str, str]) -> list[dict[str, NDArray[Any]]]:
    """Outputs of each frame by name, in OpenCV 4, in a process of its own."""
    files = files_of(prefix)
    if missing := [str(file) for file in (files.prototxt, files.caffemodel) if not file.is_file()]:
        raise InputError(f"expected Caffe files, found no {' and no '.join(missing)}; write them with write_caffe")
    if any(name not in feeds and not i for i, feeds in enumerate(frames) for name in states):
        raise InputError(f"expected the first frame to bring {', '.join(states)}; give zeros")
    with tempfile.TemporaryDirectory() as folder:
        given, results, prototxt = (str(Path(folder) / name) for name in ("in.npz", "out.npz", "net.prototxt"))
        Path(prototxt).write_text(files.prototxt.read_text().replace(_OURS, _THEIRS))
        arrays: dict[str, Any] = {
            f"{name}:{i}": array for i, feeds in enumerate(frames) for name, array in feeds.items()
        }
        np.savez(given, **arrays)
        memory = ",".join(f"{name}={output}" for name, output in states.items())
        _run([prototxt, str(files.caffemodel), given, results, memory])
        with np.load(results) as file:
            found = {key: file[key] for key in file.files}
    return [{k.rpartition(":")[0]: v for k, v in found.items() if k.endswith(f":{i}")} for i in range(len(frames))]


def _run(arguments: list[str]) -> None:
    folder = os.environ.get(FOLDER, "")
    if not Path(folder, "cv2").is_dir():
        raise ModelError(
            f"expected OpenCV 4 in the folder that {FOLDER} names, got {folder or 'none'}; "
            "pip install --target DIR --no-deps opencv-python-headless==4.14.0.94"
        )
    path = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
    program = [sys.executable, str(Path(__file__).with_name("oracle.py")), *arguments]
    done = subprocess.run(program, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(f"OpenCV could not run {arguments[1]}: {done.stderr.strip()[-500:]}")
