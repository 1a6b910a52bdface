"""Run as a program of its own: Caffe files on the frames that come in, in the OpenCV that is first on the path.

python caffe_program.py PROTOTXT CAFFEMODEL

Frames come as eight bytes of length and an .npz of inputs by name; outputs go back alike. Nothing in: the version goes
back. Uses nothing of koutu, which needs another OpenCV.
"""

import io
import sys
from typing import Any

import cv2
import numpy as np


def main(prototxt: str, caffemodel: str) -> None:
    net: Any = getattr(cv2.dnn, "readNetFromCaffe")(prototxt, caffemodel)  # noqa: B009  (OpenCV 5 has it no more)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.enableWinograd(False)  # which rounds more
    outputs = list(net.getUnconnectedOutLayersNames())
    while len(head := sys.stdin.buffer.read(8)) == 8:
        with np.load(io.BytesIO(sys.stdin.buffer.read(int.from_bytes(head, "big")))) as given:
            for name in given.files:
                net.setInput(given[name], name)
            found = (
                dict(zip(outputs, net.forward(outputs), strict=True)) if given.files else {"version": cv2.__version__}
            )
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {name: np.array(value) for name, value in found.items()}
        np.savez(buffer, **arrays)
        sys.stdout.buffer.write(len(buffer.getvalue()).to_bytes(8, "big") + buffer.getvalue())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
