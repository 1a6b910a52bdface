"""The library behind closed-form and KNN matting."""

import os
import subprocess
import sys

import pytest
from support.long import LONG

PROGRAM = """
import torch
from koutu.classical import library
torch.set_num_threads(1)
print(library().__name__, torch.get_num_threads())
"""


@LONG
def test_it_leaves_pytorch_its_threads():
    pytest.importorskip("torch")
    pytest.importorskip("pymatting")
    environment = {**os.environ, "NUMBA_NUM_THREADS": "2"}  # which it would hand on
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pymatting", "1"]
