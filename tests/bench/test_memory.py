"""Memory does not grow with the length of a video."""

import sys
from pathlib import Path

import pytest
from support.long import LONG


@LONG
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read the Linux way")
def test_twenty_times_the_length_takes_the_same_memory(tiny_onnx, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent.parent.parent / "bench")
    from memory import peak  # pyright: ignore[reportMissingImports]

    short, long = peak(60, str(tiny_onnx)), peak(1200, str(tiny_onnx))
    assert long < short + 40  # megabytes; 1200 frames would be 26 as planes, 52 as RGB, and twice that with alpha
