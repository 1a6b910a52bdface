"""bench/sources.py: a row of the base and one of each added set, of one training, measured on the same pictures."""

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.people import make_packs

from koutu.data.packs.pack import Entry, Lottery, Pack, write_pack

pytest.importorskip("torch")

SCRIPT = Path(__file__).parent.parent.parent / "bench" / "sources.py"
RECIPE = """
network: tmodnet
options: {semantic_size: 32, detail_channels: [4, 4], pixels: 2304}
people: people
backgrounds: backgrounds
workers: 0
threads: 1
held_out: 4
validation_clips: 1
stages:
  - {name: short, steps: 2, passes: [{objective: modnet, batch: 1, sizes: [[1.0, 48]]}]}
"""


@pytest.fixture
def words(tmp_path, monkeypatch) -> list[str]:
    """Two sets in a pack, photographs with masks, and the command on them."""
    made, _ = make_packs(tmp_path)
    pack = Pack(made)
    held = [(entry, np.array(pack[i])) for i, entry in enumerate(pack.entries)]
    more = [(Entry(e.name, "more", f"more/{e.name}", True, *p.shape), p) for e, p in held[:2]]
    write_pack(tmp_path / "people", [*held, *more])
    for part, shape in (("src", (60, 80, 3)), ("pha", (60, 80))):
        (tmp_path / "test" / part).mkdir(parents=True)
        picture = np.zeros(shape, np.uint8)
        picture[15:50, 25:55] = 255
        Image.fromarray(picture).save(tmp_path / "test" / part / "a.png")
    (tmp_path / "short.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return ["sources", "short.yaml", "--base", "generated", "--add", "more", "--test", "square=test", "--stills", "2",
            "-o", "runs", "--json", "out.json"]  # fmt: skip


@pytest.fixture
def module(monkeypatch):
    spec = importlib.util.spec_from_file_location("sources", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "sources", module)
    spec.loader.exec_module(module)
    return module


def test_each_set_is_added_at_its_share_and_rows_are_kept(words, module, monkeypatch):
    monkeypatch.setattr(sys, "argv", words)
    args, people = module.arguments(), Pack("people")
    for added, share in (("", 0.0), ("more", 0.35)):
        scenes = module.recipe_of(added, args).stages[0].passes[0].scenes
        draw = Lottery(people, range(len(people)), scenes.weights)
        drawn = Counter(people.entries[draw(np.random.default_rng(i))].source for i in range(2000))
        assert drawn["more"] / 2000 == pytest.approx(share, abs=0.04)
    module.main()
    rows = json.loads(Path("out.json").read_text())["rows"]
    assert set(rows) == {"base", "+ more"} and rows["base"] != rows["+ more"]
    assert all(0 <= row["square"]["iou"] <= 1 and row["stills"]["band"] > 0 for row in rows.values())
    monkeypatch.setattr(module, "train", None)  # all is there
    module.main()
    for option, value in (("share", "0.5"), ("share", "0.350000001"), ("limit", "5"), ("stills", "3"), ("test", "a=b")):
        monkeypatch.setattr(sys, "argv", [*words, f"--{option}", value])
        with pytest.raises(SystemExit, match="other settings"):
            module.main()


def test_a_limit_is_spread_evenly(module, monkeypatch, tmp_path):
    """Of ten photographs with the limit seven, the last ones too."""
    for part, shape in (("src", (20, 20, 3)), ("pha", (20, 20))):
        (tmp_path / part).mkdir()
        for i in range(10):
            Image.fromarray(np.full(shape, i, np.uint8)).save(tmp_path / part / f"{i}.png")
    seen: list[int] = []

    def alpha_of(_, example):
        seen.append(int(example.src[0, 0, 0]))
        return np.zeros(example.src.shape[:2], np.uint8)

    monkeypatch.setattr(module, "alpha_of", alpha_of)
    module.on_photographs(None, tmp_path, 7)
    assert seen == [0, 1, 2, 4, 5, 7, 8]
    seen.clear()
    module.on_photographs(None, tmp_path, 1000)
    assert seen == list(range(10))


def test_a_set_that_the_pack_lacks_is_told(words, module, monkeypatch):
    monkeypatch.setattr(sys, "argv", [word.replace("more", "nobody") for word in words])
    with pytest.raises(SystemExit, match=r"expected sets of people \(generated, more\), got nobody"):
        module.main()
