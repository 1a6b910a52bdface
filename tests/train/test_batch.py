"""Samples are made from their numbers alone, scenes that are used again among them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lightning_fabric import Fabric  # noqa: E402
from support.people import make_packs  # noqa: E402

from koutu.data.packs.pack import Pack  # noqa: E402
from koutu.data.scenes.sample import SceneConfig, Scenes  # noqa: E402
from koutu.models import build  # noqa: E402
from koutu.train.batch import Samples, varied  # noqa: E402
from koutu.train.recipe import Pass, Recipe, Stage  # noqa: E402
from koutu.train.task import Material, Task  # noqa: E402
from koutu.types import InputError  # noqa: E402

STEPS = 400


class Counted(Scenes):
    """Counts the scenes that are made."""

    made = 0

    def __call__(self, *given):
        self.made += 1
        return super().__call__(*given)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    people, backgrounds = make_packs(tmp_path_factory.mktemp("packs"))
    return lambda: Counted(Pack(people), Pack(backgrounds), range(4), SceneConfig())


def _samples(scenes, start=0):
    given = Pass("modnet", batch=4, sizes=((0.4, 32), (1.0, 48)), aspect=1.6, reuse=4)
    return Samples(scenes(), given, (), seed=(3,), steps=STEPS, start=start)


def test_a_scene_serves_as_many_samples_as_are_asked_for_each_another(scenes):
    samples = _samples(scenes)
    assert isinstance(samples.scenes, Counted)
    several = [samples[i] for i in range(4 * 192)]
    assert samples.scenes.made == 192
    pictures = {(x["src"].shape, x["src"].tobytes()) for x in several}
    assert len(pictures) > 0.95 * len(several)  # nobody is in a few, and a plain place looks the same everywhere


def test_a_sample_is_the_same_wherever_a_run_went_on(scenes):
    whole, resumed = _samples(scenes), _samples(scenes, start=200)
    for i in (0, 3, 5):
        assert all(np.array_equal(x, whole[800 + i][name]) for name, x in resumed[i].items())
    assert max(resumed[0]["src"].shape) == 48


def test_all_arrays_of_a_sample_are_moved_alike(scenes):
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:40, 0:60]
    ramp = (y * 3 + x).astype(np.uint8)
    sample = {"src": np.stack([np.dstack([ramp] * 3)] * 2), "pha": np.stack([ramp] * 2), "prev": ramp}
    moved = varied(sample, rng)
    assert np.array_equal(moved["pha"][0], moved["prev"]) and np.array_equal(moved["pha"][0], moved["pha"][1])
    assert moved["src"].shape == sample["src"].shape and not np.array_equal(moved["prev"], ramp)
    change = np.corrcoef(moved["src"][0, ..., 0].ravel(), moved["pha"][0].ravel())[0, 1]
    assert change > 0.99  # lit anew, but nothing else


def test_a_scene_whose_parts_must_stay_exact_serves_once(scenes):
    recipe = Recipe("tmodnet", "", "", (Stage((Pass("shm-filling", reuse=4),), steps=1),))
    given = scenes()
    material = Material(given.casting.people, given.places.backgrounds, [0], {})
    with pytest.raises(InputError, match="expected reuse: 1 for shm-filling"):
        Task(recipe, (0, 0), build("tmodnet"), material, Fabric(accelerator="cpu"))
