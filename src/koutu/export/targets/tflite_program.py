"""Run as a program in litert-torch's own environment: an exported PyTorch program into a TFLite file.

python -I tflite_program.py NET.pt2 OUT.tflite

Prints its version last. Uses nothing of koutu.
"""

import sys
from importlib import metadata
from typing import Any

import torch


def main(source: str, out: str) -> None:
    import litert_torch  # type: ignore[import-not-found]  # of the other environment

    program: Any = torch.export.load(source)
    litert_torch.convert(program.module(), program.example_inputs[0]).export(out)
    print(f"converted by litert-torch {metadata.version('litert-torch')}")


if __name__ == "__main__":
    main(*sys.argv[1:])
