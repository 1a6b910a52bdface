"""Recipes: every one of the project reads, changes reach where they should, mistakes are named."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from support.people import make_packs

from koutu.data.packs.pack import Pack
from koutu.models import MODELS
from koutu.train.objectives import objective_kinds
from koutu.train.recipe import read_recipe
from koutu.train.validate import Validation
from koutu.types import InputError

RECIPES = sorted((Path(__file__).parent.parent.parent / "recipes").glob("*.yaml"))


def test_every_network_has_a_recipe():
    read = [read_recipe(path) for path in RECIPES]
    assert {recipe.network for recipe in read} == set(MODELS)
    used = {given.objective for recipe in read for stage in recipe.stages for given in stage.passes}
    assert used == set(objective_kinds())


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(
        "network: rvm\npeople: p\nbackgrounds: b\nlr: 1e-4\nbatch: 2\nscenes: {as_is: 0.1, empty: 0.2}\nstages:\n"
        "  - {name: first, steps: 10, objective: rvm, frames: 3}\n"
        "  - name: second\n    steps: 20\n    lr: 2e-4\n    passes:\n"
        "      - {objective: rvm, sizes: [[1.0, 64]]}\n      - {objective: rvm-segmentation, scenes: {as_is: 1.0}}\n"
    )
    return path


def test_what_stands_above_holds_below(written):
    recipe = read_recipe(written)
    first, second = recipe.stages
    assert (first.lr, second.lr, first.passes[0].frames, second.passes[0].frames) == (1e-4, 2e-4, 3, 1)
    assert all(given.batch == 2 for stage in recipe.stages for given in stage.passes)
    assert second.passes[0].scenes.as_is == 0.1 and second.passes[1].scenes.as_is == 1.0
    assert second.passes[1].scenes.empty == 0.2 and second.passes[0].sizes == ((1.0, 64),)


def test_strands_are_for_training_alone(written, tmp_path):
    given = "scenes: {strands: 0.7, whole_hair: [rendered, mine], as_is"
    written.write_text(written.read_text().replace("scenes: {as_is", given, 1))
    recipe = read_recipe(written)
    scenes = recipe.stages[0].passes[0].scenes
    assert scenes.strands == 0.7 and scenes.whole_hair == ("rendered", "mine")
    people, places = make_packs(tmp_path)
    shown = Validation(Pack(people), Pack(places), [0], recipe).scenes.casting.cfg
    assert shown.strands == shown.crowd == 0 and shown.whole_hair == scenes.whole_hair


def test_changes(written):
    recipe = read_recipe(written, ["lr=0.5", "second.steps=7", "network=modnet", "first.options.matte=2", "batch=9"])
    assert [stage.lr for stage in recipe.stages] == [0.5, 0.5] and recipe.stages[1].steps == 7
    assert recipe.network == "modnet" and recipe.stages[0].passes[0].options == {"matte": 2}
    assert recipe.stages[1].passes[1].batch == 9
    assert read_recipe(written, ["scenes.as_is=0.7"]).stages[0].passes[0].scenes.as_is == 0.7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["sizs=3"], "sizs"),
        (["steps=many"], "steps: expected int"),
        (["lr=fast"], "lr: expected a number"),
        (["schedule=slow"], "schedule out of"),
        (["scenes.asis=1"], "asis"),
        (["sizes=64"], "sizes: expected a list"),
        (["second.name=first"], "different names"),
        (["steps"], "KEY=VALUE"),
        (["steps=0"], "1 or more"),
    ],
)
def test_mistakes_are_named(written, changes, message):
    with pytest.raises(InputError, match=message):
        read_recipe(written, changes)


def test_files_that_are_no_recipes(tmp_path):
    with pytest.raises(InputError, match="none"):
        read_recipe(tmp_path / "missing.yaml")
    for text, message in (("a: [", "YAML"), ("- 1", "keys"), ("network: rvm\npeople: a\nstages: 3", "list")):
        (tmp_path / "r.yaml").write_text(text)
        with pytest.raises(InputError, match=message):
            read_recipe(tmp_path / "r.yaml")
    (tmp_path / "r.yaml").write_text("network: rvm\nstages: [{steps: 3, objective: rvm}]")
    with pytest.raises(InputError, match="people"):
        read_recipe(tmp_path / "r.yaml")
