"""What errors tell to install is what pyproject.toml asks for, by names that an index knows."""

import re
from importlib import metadata

import pytest

from koutu.extras import pip_line


def test_every_extra_in_its_packages_names():
    names = metadata.metadata("koutu").get_all("Provides-Extra") or []
    assert {"serve", "webrtc", "export", "train", "window"} <= set(names)
    for name in names:
        assert re.fullmatch(r"pip install( '[\w.,<>=!\[\]-]+')+", pip_line(name)) and "koutu" not in pip_line(name)
    assert "'fastapi" in pip_line("webrtc") and "'aiortc" in pip_line("webrtc")  # an extra within an extra
    both = pip_line("export", "train")
    assert both.count("'torch>=") == 1 and "lightning-fabric" in both and "onnxslim" in both


def test_a_tree_that_was_never_installed(monkeypatch):
    def missing(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    assert pip_line("serve") == "pip install '.[serve]' in koutu's checkout"


@pytest.mark.parametrize("module", ["fastapi", "uvicorn"])
def test_an_error_names_what_to_install(module, monkeypatch):
    from koutu.cli.serve import require_server
    from koutu.types import ModelError

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == module else object())
    with pytest.raises(ModelError, match=rf"serving needs {module}, which is not installed; pip install 'fastapi>="):
        require_server()
