"""Caffe files frame by frame in OpenCV 4, which runs as a program of its own: OpenCV 5 reads Caffe no more.

KOUTU_OPENCV4 names the folder it lives in: pip install --target DIR --no-deps opencv-python-headless==4.14.0.94
"""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.types import ModelError

FOLDER = "KOUTU_OPENCV4"
_OURS, _THEIRS = 'type: "DepthwiseConvolution"', 'type: "ConvolutionDepthwise"'  # the kit's name and OpenCV's


class CaffeGraph:
    """NAME.caffemodel with the NAME.prototxt beside it; the program ends with the object."""

    def __init__(self, path: Path):
        folder = opencv4_folder()
        self._folder = tempfile.TemporaryDirectory()
        prototxt = Path(self._folder.name) / "net.prototxt"
        prototxt.write_text(path.with_suffix(".prototxt").read_text().replace(_OURS, _THEIRS))
        program = [sys.executable, str(Path(__file__).with_name("caffe_program.py")), str(prototxt), str(path)]
        search = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            program, env={**os.environ, "PYTHONPATH": search}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._lock = threading.Lock()
        self.engine = f"opencv {self._ask({}).get('version', '')} · cpu"

    def run(self, feeds: dict[str, NDArray[Any]], wanted: Sequence[str]) -> list[NDArray[Any]]:
        found = self._ask(feeds)
        return [found[name] for name in wanted]

    def _ask(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        assert self._process.stdin and self._process.stdout
        with self._lock:
            try:
                send(self._process.stdin, arrays)
                return receive(self._process.stdout)
            except (EOFError, OSError) as e:
                raise ModelError("OpenCV 4 could not run the Caffe files; its reason stands above") from e

    def close(self) -> None:
        """End the program."""
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        self._process.wait(timeout=10)
        if self._process.stdout:
            self._process.stdout.close()
        self._folder.cleanup()

    def __del__(self) -> None:
        if hasattr(self, "_process") and self._process.returncode is None:
            self.close()


def opencv4_folder() -> str:
    """The folder that OpenCV 4 lives in; raises ModelError."""
    folder = os.environ.get(FOLDER, "")
    if not Path(folder, "cv2").is_dir():
        raise ModelError(
            f"expected OpenCV 4 in the folder that {FOLDER} names to run Caffe files, got {folder or 'none'}; "
            "pip install --target DIR --no-deps opencv-python-headless==4.14.0.94"
        )
    return folder


def send(pipe: Any, arrays: dict[str, NDArray[Any]]) -> None:
    """Arrays by name, behind their length in eight bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    pipe.write(len(buffer.getvalue()).to_bytes(8, "big") + buffer.getvalue())
    pipe.flush()


def receive(pipe: Any) -> dict[str, NDArray[Any]]:
    """What `send` sent; EOFError if there is no more."""
    head = pipe.read(8)
    if len(head) < 8:
        raise EOFError
    with np.load(io.BytesIO(pipe.read(int.from_bytes(head, "big")))) as file:
        return {name: file[name] for name in file.files}
