"""bench/compare.py: what errs is scored, what is slow is told, what is not installed is named; the table says it."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent.parent
ANOTHER = {"package": "another", "version": "1.2", "error": ""}


@pytest.fixture
def compare(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("compare")


@pytest.fixture
def pictures(tmp_path) -> Path:
    """One with a mask, one with soft alpha; both grey by their truth."""
    truth = {"a": np.zeros((60, 80), np.uint8), "b": np.tile(np.linspace(0, 255, 80).astype(np.uint8), (60, 1))}
    truth["a"][:, 40:] = 255
    for folder in ("im", "truth"):
        (tmp_path / folder).mkdir()
        for name, alpha in truth.items():
            Image.fromarray(alpha).save(tmp_path / folder / f"{name}.png")
    return tmp_path


def test_programs_on_the_same_pictures(compare, pictures, monkeypatch):
    running = {"koutu": lambda rgb: rgb[..., 0], "late": lambda rgb: np.zeros((30, 40), np.uint8)}
    files = sorted((pictures / "im").iterdir())
    found, sheet = compare.compared(files, pictures / "truth", running, 2)
    found["late"]["seconds"] = [3 * took for took in found["koutu"]["seconds"]]
    rows = compare.summary(found, {"koutu": {"package": "koutu", "version": "1", "error": ""}, "late": dict(ANOTHER)})
    assert rows["koutu"] | {"far": 0, "iou": 1, "all": 0, "band": 0} == rows["koutu"]
    late = rows["late"]
    assert late["times_koutu"] == pytest.approx(3) and late["iou"] == 0 and late["far"] == pytest.approx(500, abs=20)
    assert late["all"] == pytest.approx(500, abs=5) and len(late["each_ms"]) == 4
    assert compare.tiles(sheet).shape == (400, 600, 3)
    rows["absent"] = {"package": "absent", "version": "", "error": "ModuleNotFoundError: absent"}
    (pictures / "docs" / "bench").mkdir(parents=True)
    about = {"machine": "a machine", "rounds": 2, "pictures": 2, "threads": 1, "systems": rows}
    (pictures / "docs" / "bench" / "compare.json").write_text(json.dumps(about))
    table = importlib.import_module("compare_tables").compared(pictures)
    assert "a machine; medians of 2 alternating round(s)" in table and "absent" not in table
    assert "| late (another 1.2) |" in table and "| koutu |" in table


def test_what_is_not_installed_is_named(compare, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rembg", None)
    running, rows = compare.started(
        {"rembg, u2netp": ("rembg", lambda: importlib.import_module("compare_systems").rembg("u2netp"))}
    )
    assert running == {} and "rembg" in rows["rembg, u2netp"]["error"]
    assert "rembg, u2netp is left out: ModuleNotFoundError" in capsys.readouterr().err
