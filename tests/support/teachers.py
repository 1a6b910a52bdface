"""Small networks that are described, to be asked who is in a picture."""

from pathlib import Path

import numpy as np
import onnx

from support.graphs import network

SIZE = 96
DESCRIPTION = """
title: {name}
source: https://example.org
licence: MIT
files: [{name}-net.onnx]
format: onnx
size: {{rule: fixed}}
inputs: {{0: {{kind: src}}}}
outputs: {{pha: {{name: 0, activation: clip}}}}
"""


def teacher(folder: Path, name: str, weights: tuple[float, float, float]) -> str:
    """A network for which alpha is a weighted sum of red, green and blue, described; as --network takes it."""
    kernel = np.array(weights, np.float32).reshape(1, 3, 1, 1)
    made = network((1, 3, SIZE, SIZE), [("Conv", ["k"], {})], {"k": kernel})
    onnx.save(made, folder / f"{name}-net.onnx")
    (folder / f"{name}.yaml").write_text(DESCRIPTION.format(name=name))
    return f"{folder / name}.yaml={folder / name}-net.onnx"
