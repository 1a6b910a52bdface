"""Progress in a notebook: one bar in one place, and how long it took at the end."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from koutu import progress


def test_in_a_notebook(monkeypatch):
    shell = pytest.importorskip("IPython.core.interactiveshell")
    capture = pytest.importorskip("IPython.utils.capture")
    assert not progress.in_notebook()

    class ZMQInteractiveShell(shell.InteractiveShell):  # as kernels call theirs
        pass

    ZMQInteractiveShell.instance()
    try:
        assert progress.in_notebook()
        reader: Any = SimpleNamespace(frame_count=8)
        monkeypatch.setattr(progress, "QUICK_SECONDS", 0)
        with capture.capture_output() as shown, progress.watch("talk.mp4") as meter:
            meter(2, reader)
            meter(4, reader)
    finally:
        ZMQInteractiveShell.clear_instance()
    bars = [output.data["text/html"] for output in shown.outputs]
    assert "value=0.2500" in bars[0] and "4 frames" in bars[1] and "of 8" in bars[1]
    assert bars[2].startswith("<code>talk.mp4: ") and shown.stderr == ""
    assert sys.modules["IPython"].get_ipython() is None
