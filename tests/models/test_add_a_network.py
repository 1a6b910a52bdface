"""docs/add-a-network.md as it stands: its network keeps the contract, is trained, run and exported."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

for module in ("torch", "lightning_fabric", "onnx"):
    pytest.importorskip(module)

from support.long import LONG  # noqa: E402
from support.people import DATA, make_packs  # noqa: E402

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "add-a-network.md"
BLOCK = re.compile(r"```(?:python|yaml)\n# (\S+?)(?:, in (\w+))?\n(.*?)```", re.DOTALL)
PLACES = {
    "src/koutu/models/onelayer.py", "src/koutu/models/table.py", "src/koutu/losses/onelayer.py",
    "src/koutu/train/objectives/onelayer.py", "recipes/onelayer.yaml", "tests/models/test_onelayer.py",
}  # fmt: skip


def link(source: str, target: str) -> None:
    os.symlink(source, target)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """The repository's code as links, with what the page says written into it."""
    root = tmp_path_factory.mktemp("checkout")
    for folder in ("src", "tests", "recipes"):
        shutil.copytree(ROOT / folder, root / folder, copy_function=link, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    for name, table, text in BLOCK.findall(PAGE.read_text("utf-8")):
        path = root / name
        if table:
            old = path.read_text("utf-8")
            head = re.search(rf"^{table}\b.*{{\n", old, re.MULTILINE)
            assert head, f"{name} has no {table} to add to"
            text = old[: head.end()] + text + old[head.end() :]
            path.unlink()
        path.write_text(text, "utf-8")
    return root


# Command lines one after the other, in one process: PyTorch is loaded once.
TYPED = """
import json, sys
from koutu.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["koutu", *words]
    try:
        main()
    except SystemExit as left:
        assert not left.code, (words, left.code)
"""


def run(checkout: Path, *words: str) -> str:
    """What Python says that finds the checkout's package first; fails unless it ends well."""
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    done = subprocess.run([sys.executable, *words], cwd=checkout, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_names_six_places():
    assert {name for name, _, _ in BLOCK.findall(PAGE.read_text("utf-8"))} == PLACES


def test_the_places_of_the_example_are_there():
    for name in re.findall(r"^\| \d \|.*\| `(\S+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE):
        assert re.search("igf", (ROOT / name).read_text("utf-8"), re.IGNORECASE), name


@LONG
def test_it_keeps_the_contract(checkout):
    said = run(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/models/test_networks.py",
               "tests/models/test_onelayer.py", "-k", "onelayer or table_says_what_the_networks_are")  # fmt: skip
    assert int(re.search(r"(\d+) passed", said)[1]) >= 10  # type: ignore[index]


def test_it_is_trained_run_and_exported(checkout, tmp_path):
    people, backgrounds = make_packs(tmp_path)
    weights, picture = tmp_path / "run" / "weights.pt", tmp_path / "person.png"
    shutil.copy(DATA / "person0.png", picture)
    said = run(checkout, "-c", TYPED, json.dumps([
        ["models"],
        ["train", "recipes/onelayer.yaml", f"people={people}", f"backgrounds={backgrounds}", "train.steps=10",
         "train.batch=2", "workers=0", "held_out=4", "validation_clips=2", "-o", str(weights.parent)],
        ["image", str(picture), "-o", str(tmp_path / "cut.png"), "--model", "onelayer", "--weights", str(weights)],
        ["export", "onelayer", "--weights", str(weights), "--to", "onnx", "-o", str(tmp_path / "onelayer.onnx")],
    ]))  # fmt: skip
    assert "\n  onelayer  " in said
    steps = [json.loads(line) for line in (weights.parent / "journal.jsonl").read_text().splitlines()]
    assert steps[-1]["step"] == 10

    cut, given = (np.asarray(Image.open(path)) for path in (tmp_path / "cut.png", picture))
    assert cut.shape == given.shape and cut[..., 3].std() > 0
    assert json.loads((tmp_path / "onelayer.json").read_text())["target"] == "onnx"
