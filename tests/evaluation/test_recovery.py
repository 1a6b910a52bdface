"""Memories made wrong, people who come in: what is counted is what a network with a known memory must take."""

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from koutu import zoo
from koutu.cli import app
from koutu.data.sets.open import Broken, Example, open_dataset
from koutu.engines.backend import Backend
from koutu.engines.stabilise import held_steady
from koutu.evaluation.recoveries import recovered, recoveries
from koutu.evaluation.recovery import AFTER, BEFORE, KINDS, LENGTH, trials
from koutu.evaluation.remembered import forced
from koutu.evaluation.report import page
from koutu.evaluation.run import evaluate
from koutu.evaluation.settings import MeasureSettings, SetRecipe
from koutu.evaluation.table import sum_up, text, write
from koutu.evaluation.testset import compose
from koutu.types import InputError, ModelError

SIZE = (24, 32)


class Fades(Backend):
    """Alpha is the red channel, mixed with so much of the alpha before: `share`, or the larger of both if it clings."""

    name, refines = "fades", False

    def __init__(self, share=0.5, *, clings=False, warms_up=True, hidden=False, memory=True):
        self.share, self.clings, self.warms_up = share, clings, warms_up
        self.hidden, self.memory, self.calls = hidden, memory, 0

    def network_size(self, size):
        return size

    def initial_state(self, size):
        """hidden: twice the alpha is remembered, which is no alpha."""
        return {"before": np.zeros((1, 1, *size), np.float32)} if self.memory else {}

    def __call__(self, rgb, state, **hints) -> Any:
        self.calls += 1
        seen = rgb[..., 0].astype(np.float32) / 255
        if not self.memory:
            return None, seen, state
        before = state["before"][0, 0] / (2 if self.hidden else 1)
        pha = np.maximum(seen, before) if self.clings else (1 - self.share) * seen + self.share * before
        return None, pha, {"before": (2 if self.hidden else 1) * pha[None, None]}


def person(at: float = 10.0) -> np.ndarray:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.rint(np.clip((7 - np.hypot(x - at, y - 14)) / 2 + 0.5, 0, 1) * 255).astype(np.uint8)


def clip(count: int = LENGTH, at: float = 10.0) -> list[Example]:
    """Somebody red before a blue place: the red channel is the alpha."""
    pha = person(at)
    src = np.dstack([pha, np.zeros_like(pha), 255 - pha])
    red, blue = (np.broadcast_to(np.array(c, np.uint8), src.shape).copy() for c in ((255, 0, 0), (0, 0, 255)))
    example = Example("", src, np.float32(1 / 255) * pha, False, fgr=red, bgr=blue)
    return [replace(example, name=f"{at}/{i}") for i in range(count)]


def by_kind(backend, frames, other=()):
    return {trial.kind: trial for trial in trials(backend, frames, other)}


def test_a_fading_memory_takes_as_long_as_it_fades():
    found = by_kind(Fades(), clip(), clip(at=20.0))
    assert list(found) == list(KINDS) and all(trial.back for trial in found.values())
    # after nine halvings, the first of them in frame 0, an error of 1 is less than half a level of 255
    assert found["ones"].frames == found["zeros"].frames == found["other"].frames == found["shifted"].frames == 8
    outside = 1 - person() / 255
    assert found["ones"].errors[0] == pytest.approx(500 * outside.mean(), rel=0.02)
    assert found["zeros"].errors[0] == pytest.approx(500 * (person() / 255).mean(), rel=0.02)
    assert found["ones"].normal[-1] == found["ones"].errors[-1] == 0
    quick = by_kind(Fades(0.25), clip())
    assert "other" not in quick and 0 < quick["ones"].frames < 8
    assert by_kind(Fades(0.0), clip())["ones"].frames == 0


def test_what_clings_never_comes_back():
    found = by_kind(Fades(clings=True), clip(), clip(at=20.0))
    assert found["ones"].frames == AFTER and not found["ones"].back
    assert not found["shifted"].back and not found["other"].back
    assert found["zeros"].frames == 0 and found["zeros"].back


def test_behind_a_steadied_alpha_it_is_the_networks_own_that_is_made_wrong():
    backend = Fades(clings=True)
    backend.states = {"before": "pha"}
    found = by_kind(held_steady(backend), [clip(1, at=10 + i / 8)[0] for i in range(LENGTH)])
    assert found["ones"].frames == AFTER and not found["ones"].back and not found["shifted"].back


def test_who_comes_in_is_compared_with_a_start_on_the_same_frame():
    found = by_kind(Fades(), clip())
    # an empty past sees half of the person at first, a start, which looks twice, three quarters
    assert found["appears"].frames == 1 and found["appears"].errors[0] == pytest.approx(
        2 * found["appears"].normal[0], rel=0.05
    )
    once = by_kind(Fades(warms_up=False), clip())["appears"]
    assert once.frames == 0 and once.errors[0] == once.normal[0]
    walk = found["walks in"]
    assert len(walk.errors) == len(walk.normal) == AFTER and walk.back and walk.normal[0] > 0
    assert walk.normal[0] < 0.5 * walk.normal[-1]  # at first little of the person is seen


def test_memories_that_are_no_alphas_can_be_emptied_or_exchanged_only():
    found = by_kind(Fades(hidden=True), clip(), clip(at=20.0))
    assert list(found) == ["zeros", "other", "appears", "walks in"]
    assert found["zeros"].frames == by_kind(Fades(), clip())["zeros"].frames


def test_a_network_without_memory_is_not_run():
    backend = Fades(memory=False)
    found = by_kind(backend, clip(), clip(at=20.0))
    assert backend.calls == 0 and list(found) == list(KINDS)
    assert all(trial.frames == 0 and trial.back and not trial.errors for trial in found.values())
    assert not recovered([vars(found["ones"])]).memory


def test_only_layers_let_somebody_come_in_and_only_truth_tells():
    found = by_kind(Fades(), [replace(x, fgr=None) for x in clip()])
    assert list(found) == ["ones", "zeros", "shifted"]
    with pytest.raises(InputError, match=f"{LENGTH} frames"):
        trials(Fades(), clip(LENGTH - 1))
    with pytest.raises(InputError, match=f"{BEFORE} frames"):
        trials(Fades(), clip(), clip(2))
    with pytest.raises(InputError, match="torn"):
        trials(Fades(), [Broken("x", "torn"), *clip()])
    with pytest.raises(InputError, match="truth"):
        trials(Fades(), [replace(x, pha=None) for x in clip()])
    carries = Fades()
    carries.propagates = True
    with pytest.raises(InputError, match="carries"):
        trials(carries, clip())


@dataclass
class Kept:
    alpha: object
    count: int


def test_memories_of_every_make_are_forced():
    pha = np.random.default_rng(1).uniform(0.1, 0.9, (4, 8)).astype(np.float32)
    other = np.full((1, 16, 2, 4), 3, np.float32)
    ones = forced("ones", {"a": pha[None, None], "b": other}, pha)
    assert (ones["a"] == 1).all() and ones["a"].shape == (1, 1, 4, 8) and (ones["b"] == 3).all()
    tensor = forced("shifted", [torch.from_numpy(pha)[None, None]], pha)[0]
    assert isinstance(tensor, torch.Tensor) and (tensor[..., :2] == 0).all()
    assert np.array_equal(tensor[0, 0, :, 2:].numpy(), pha[:, :6])
    held = forced("zeros", (Kept(pha, 3), [other]), pha)
    assert held[0].count == 3 and not np.any(held[0].alpha) and (held[1][0] == 3).all()
    eight = forced("ones", [np.rint(pha * 255).astype(np.uint8)], pha)
    assert (eight[0] == 255).all()
    assert forced("ones", [other], pha) is None and forced("shifted", [other], pha) is None
    assert not forced("zeros", [other], pha)[0].any() and (other == 3).all() and (pha > 0).all()


@pytest.fixture
def cutouts(tmp_path):
    for part in ("people/fgr", "people/pha", "places"):
        (tmp_path / part).mkdir(parents=True)
    for i in range(2):
        pha = person(12.0 + 4 * i)
        red, blue = (np.broadcast_to(np.array(c, np.uint8), (*SIZE, 3)) for c in ((255, 0, 0), (0, 0, 255)))
        Image.fromarray(pha).save(tmp_path / "people" / "pha" / f"p{i}.png")
        Image.fromarray(red).save(tmp_path / "people" / "fgr" / f"p{i}.png")
        Image.fromarray(blue).save(tmp_path / "places" / f"b{i}.png")
    return tmp_path


def test_an_evaluation_tells_it_beside_the_rest_and_goes_on_where_it_was(cutouts, tmp_path):
    data = compose(open_dataset(cutouts / "people"), [cutouts / "places" / "b0.png"], SetRecipe(frames=LENGTH))
    models = {"clings": Fades(clings=True), "fades": Fades(), "none": Fades(memory=False)}
    settings, out = MeasureSettings(perceptual=False, recovery=True), tmp_path / "out"
    run = evaluate(models, data, out, settings=settings)
    found = recoveries(run)
    assert found["clings"]["ones"]["never"] == found["clings"]["ones"]["clips"] == 2
    assert found["fades"]["ones"]["worst"] == 8 and not found["none"]["ones"]["memory"]
    table = sum_up(run)
    told = "\n".join(text(table, run))
    assert "frames until normal" in told and f"> {AFTER}" in told and "0 (no memory)" in told
    assert json.loads(write(table, run, out)[0].read_text())["recovery"] == json.loads(json.dumps(found))
    assert "A wrong memory" in page(table, run, {})
    calls = models["fades"].calls
    again = evaluate(models, data, out, settings=settings)
    assert models["fades"].calls == calls and recoveries(again) == found
    few = compose(open_dataset(cutouts / "people"), [cutouts / "places" / "b0.png"], SetRecipe(frames=4))
    short = evaluate({"fades": Fades()}, few, tmp_path / "few", settings=settings)
    assert any("memory not tried on 2 clip(s)" in line for line in text(sum_up(short), short))


def test_the_command_makes_clips_long_enough(cutouts, tmp_path, monkeypatch):
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(zoo, "load_named", lambda spec, **options: given.append(options) or Fades())
    command = ["eval", "fades", str(cutouts / "people"), "--backgrounds", str(cutouts / "places"), "-o"]
    result = CliRunner().invoke(app, [*command, str(tmp_path / "out"), "--recovery", "--no-perceptual"])
    assert result.exit_code == 0, result.output
    assert "walks in" in result.output and "not tried" not in result.output
    (tmp_path / "names.txt").write_text("elsewhere/p1.webp\n\n")
    few = ["--only", str(tmp_path / "names.txt"), "--no-gate"]
    plain = CliRunner().invoke(app, [*command, str(tmp_path / "plain"), "--no-perceptual", *few])
    assert plain.exit_code == 0 and "walks in" not in plain.output and "1 of 1 clips measured" in plain.output
    assert [options["gate"] for options in given] == [None, False]  # gated where it can be, as `koutu video` is


def test_a_failing_network_is_told_once(cutouts, tmp_path):
    class Fails(Fades):
        def __call__(self, rgb, state, **hints):
            raise ModelError("expected luck, got none; try again")

    data = compose(open_dataset(cutouts / "people"), [cutouts / "places" / "b0.png"], SetRecipe(frames=LENGTH))
    run = evaluate({"fails": Fails()}, data, tmp_path / "out", settings=MeasureSettings(recovery=True))
    assert all(r.error and not r.trials and not r.untried for r in run.results)
