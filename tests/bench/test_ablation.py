"""The ablation of bench/ablation.py: each step adds what it says and nothing else, and an interrupted run goes on."""

import importlib.util
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from support.people import make_packs

from koutu.data.packs.pack import Pack
from koutu.data.scenes.sample import SceneConfig, Scenes

ROOT = Path(__file__).parent.parent.parent


def script(folder: str, name: str, monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / folder))
    spec = importlib.util.spec_from_file_location(name, ROOT / folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def packs(tmp_path_factory) -> tuple[Path, Path]:
    return make_packs(tmp_path_factory.mktemp("packs"))


def pasts(packs: tuple[Path, Path], cfg: SceneConfig, count: int = 16) -> list[tuple[np.ndarray, np.ndarray]]:
    """Previous and present alpha of stills."""
    people, places = (Pack(path) for path in packs)
    scenes = Scenes(people, places, range(len(people)), cfg)
    drawn = [scenes(np.random.default_rng(i), 48) for i in range(count)]
    return [(scene.prev, scene.pha[0]) for scene in drawn if scene.pha.any()]


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a > 127) & (b > 127)).sum() / max(1, ((a > 127) | (b > 127)).sum()))


def test_each_step_shows_what_it_says(packs, monkeypatch):
    module = script("bench", "ablation", monkeypatch)
    variants = [SceneConfig(as_is=0, empty=0, enter=0, **v.scenes) for v in module.VARIANTS.values()]
    true, blanked, affine = (pasts(packs, cfg) for cfg in variants[1:4])
    assert all(prev.any() for prev, _ in true)
    near = [overlap(prev, pha) for prev, pha in true]
    assert np.mean(near) > 0.8 and np.mean([not np.array_equal(*pair) for pair in true]) > 0.5  # they moved
    assert 0.1 < np.mean([not prev.any() for prev, _ in blanked]) < 0.6
    assert all(overlap(prev, pha) > 0.4 for prev, pha in blanked if prev.any())
    assert np.mean([overlap(p, a) for p, a in affine if p.any()]) < np.mean(near)
    assert replace(variants[4], lamps=0.0) == variants[3] and variants[4].lamps > 0 == variants[3].lamps


def test_the_cases_of_a_made_up_past_can_be_chosen(packs):
    cfg = SceneConfig(as_is=0, empty=0, previous_blank=0, previous_true=0, previous_cases=(("exact", 1.0),))
    assert all(np.array_equal(prev, pha) for prev, pha in pasts(packs, cfg, 6))


def test_rows_are_written_one_by_one_and_a_run_goes_on(packs, tmp_path, monkeypatch):
    module, out = script("bench", "ablation", monkeypatch), tmp_path / "ablation.json"
    small = {"semantic_size": 32, "detail_channels": (4, 4)}
    few = {
        name: replace(module.VARIANTS[name], options=module.VARIANTS[name].options | small)
        for name in ("3 channels", "+ blanking")
    }
    monkeypatch.setattr(module, "VARIANTS", few)
    monkeypatch.setattr(module, "PLACES", (("scenery", 1.0),))
    monkeypatch.setattr(module, "HELD_OUT", 2)
    given = ["--init", "", "--steps", "1", "--side", "32", "--batch", "2", "--stills", "1", "--clips", "2"]
    command = ["ablation", *map(str, packs), "--json", str(out), "-o", str(tmp_path / "runs"), "--workers", "0", *given]
    monkeypatch.setattr(sys, "argv", command)
    module.main()
    rows = json.loads(out.read_text())["rows"]
    assert list(rows) == [*few, "+ gate"] and all(row["ms"] > 0 for row in rows.values())
    assert rows["+ gate"]["told"].startswith("threshold") and rows["+ gate"]["steps"] is None
    assert rows["3 channels"]["recovery"]["ones"]["memory"] is False
    assert rows["+ blanking"]["recovery"]["other"]["memory"] and rows["+ blanking"]["dtssd"] > 0
    monkeypatch.setattr(module, "train", lambda *_: pytest.fail("it was done already"))
    module.main()
    monkeypatch.setattr(module, "timed", lambda *_: pytest.fail("it was timed already"))
    module.main()
    monkeypatch.setattr(sys, "argv", [*command, "--seed", "2"])
    with pytest.raises(SystemExit, match="other settings"):
        module.main()


def test_a_searched_shape_is_trained_from_its_own_weights(packs, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    from koutu.models.tmodnet import Config

    module, chosen = script("bench", "ablation", monkeypatch), tmp_path / "chosen.pt"
    torch.save({"config": asdict(Config(semantic_size=64)), "state_dict": {}}, chosen)
    given = ["ablation", *map(str, packs), "--json", "x.json", "-o", "runs", "--search", str(chosen)]
    monkeypatch.setattr(sys, "argv", given)
    args = module.arguments()
    variant = module.variants(args)["+ search"]
    recipe = module.recipe_of(variant, args, 20)
    assert recipe.init == str(chosen) and recipe.options["semantic_size"] == 64
    assert recipe.stages[0].passes[0].scenes.lamps > 0
    assert module.exported("+ gate", args) == module.exported("+ search", args)


def test_the_table_says_what_the_figures_say(tmp_path, monkeypatch):
    tables = script("tools", "ablation_tables", monkeypatch)
    kind = {"median": 1.0, "worst": 16, "never": 1, "clips": 2, "extra": 12.4, "memory": True}
    errors = {"mad_stills": 12.0, "mad_clips": 11.0, "mad_each_clip": [2.0, 20.0], "dtssd": 2.5, "mad_backlit": 30.0}
    rows = {
        "3 channels": {"told": "alone", "ms": 9.0, **errors, "recovery": {"ones": kind | {"memory": False}}},
        "+ gate": {
            "told": "gated",
            "ms": 4.0,
            **errors,
            "recovery": {"ones": kind, "zeros": kind | {"never": 0, "worst": 3}},
        },
    }
    settings = {"steps": 9, "batch": 2, "side": 32, "stills": 4, "clips": 2, "frames": 24}
    (tmp_path / "docs" / "bench").mkdir(parents=True)
    content = {"settings": settings, "machine": "a machine", "rows": rows}
    (tmp_path / "docs" / "bench" / "ablation.json").write_text(json.dumps(content))
    told = tables.brought(tmp_path)
    assert "| 3 channels | alone | 9.0 | 12.0 | 30.0 | 2.5 | 11.0 | 20.0 | – |" in told
    assert "1, > 16 (+12 %) | 1, 3 (+12 %) | – |" in told
    assert "| + gate | gated | 4.0 |" in told
