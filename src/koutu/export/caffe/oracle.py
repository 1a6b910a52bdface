"""Run as a program of its own: Caffe files on recorded inputs, in the OpenCV that is first on the path.

python oracle.py PROTOTXT CAFFEMODEL IN.npz OUT.npz STATES

IN.npz holds NAME:FRAME arrays; STATES is name=output,…: inputs that come from the frame before. Uses nothing of koutu,
which may need another OpenCV.
"""

import sys
from typing import Any

import cv2
import numpy as np


def main(prototxt: str, caffemodel: str, given: str, results: str, states: str) -> None:
    net: Any = getattr(cv2.dnn, "readNetFromCaffe")(prototxt, caffemodel)  # noqa: B009  (OpenCV 5 has it no more)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.enableWinograd(False)  # which rounds more
    frames: dict[int, dict[str, Any]] = {}
    with np.load(given) as file:
        for key in file.files:
            name, _, frame = key.rpartition(":")
            frames.setdefault(int(frame), {})[name] = file[key]
    outputs = list(net.getUnconnectedOutLayersNames())
    memory = dict(pair.split("=") for pair in states.split(",") if pair)
    found: dict[str, Any] = {}
    for frame in sorted(frames):
        for name, output in memory.items():
            if name not in frames[frame]:
                frames[frame][name] = found[f"{output}:{frame - 1}"]
        for name, array in frames[frame].items():
            net.setInput(array, name)
        for name, array in zip(outputs, net.forward(outputs), strict=True):
            found[f"{name}:{frame}"] = np.array(array)
    np.savez(results, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
