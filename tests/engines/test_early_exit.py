"""The gate: two parts that are the whole network, a decision with hysteresis, a calibration, and its way to users."""

import multiprocessing
import shutil
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from fractions import Fraction
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from koutu.engines import early_exit as runtime
from koutu.engines.early_exit import CHECK, FADE, FLOOR, HARD, QUIET, SIGNS, Gate, GatedBackend, GateState, decided
from koutu.engines.onnxruntime import OnnxBackend
from koutu.engines.table import ENGINES
from koutu.matting.matter import Matter
from koutu.types import InputError, ModelError

SIZE = (64, 96)
GATE = Gate((1.0, 0.0, 0.0, 0.0), 0.0, 4.0)  # predicts what the stub's first sign says


class Part:
    """An engine of one part: its alpha is a constant, and its sign the gap that it was asked to predict."""

    states: Mapping[str, str] = {"prev": "pha"}
    stride = 8

    def __init__(self, part: str):
        self.card: dict[str, Any] = {"part": part}
        self.name, self.runs, self.alpha, self.gap = part, 0, 0.5, 1.0

    def network_size(self, size):
        return SIZE

    def initial_state(self, size):
        return {"prev": np.zeros((1, 1, *size), np.float32)}

    def resized(self, state, size):
        return self.initial_state(size)

    def run(self, feeds):
        self.runs += 1
        self.seen = feeds
        signs = np.array([log(self.gap + FLOOR), 0, 0], np.float32)
        pha = np.full((1, 1, *feeds["rgb"].shape[1:3]), self.alpha, np.float32)
        return {"pha": pha, "logits": pha, "features": pha, "signs": signs}


class Stream:
    """A gated stream of stubs whose true and predicted gaps are set frame by frame."""

    def __init__(self, gate: Gate = GATE):
        self.low, self.rest = Part("low"), Part("rest")
        self.backend = GatedBackend(self.low, self.rest, gate=gate)
        self.state = self.backend.initial_state(SIZE)

    def __call__(self, gap: float, predicted: float | None = None) -> float:
        """Show a frame of that gap, thousandths, and give its alpha above the low-resolution branch's, in gaps."""
        self.low.gap = gap if predicted is None else predicted
        self.rest.alpha = 0.5 + gap / 1000
        _, pha, self.state = self.backend(np.zeros((*SIZE, 3), np.uint8), self.state)
        return float((pha.mean() - 0.5) / (gap / 1000))


def settled() -> Stream:
    stream = Stream()
    for _ in range(QUIET + FADE - 1):
        stream(1.0)
    assert stream.state.low is False and stream.state.share == 0
    return stream


def test_a_simple_scene_is_left_to_the_cheap_part_after_a_while_and_gradually():
    stream = Stream()
    shares = [stream(1.0) for _ in range(QUIET + FADE + 2)]
    assert np.allclose(shares[: QUIET - 1], 1, atol=1e-3)
    assert np.allclose(np.diff(shares[QUIET - 2 : QUIET + FADE - 1]), -1 / FADE, atol=1e-3)
    assert np.allclose(shares[QUIET + FADE - 1 :], 0, atol=1e-3)
    assert stream.state.low and stream.rest.runs == QUIET + FADE - 1


def test_a_scene_that_is_not_simple_always_gets_the_whole_network():
    stream = Stream()
    assert np.allclose([stream(4.5) for _ in range(40)], 1, atol=1e-3)
    assert stream.rest.runs == 40 and not stream.state.low


def test_a_scene_that_stays_hard_is_made_in_one_piece_until_it_is_simple_again():
    stream, whole = Stream(), []

    def one_piece(rgb, memory):
        whole.append(memory)
        pha = np.full(SIZE, stream.rest.alpha, np.float32)
        return None, pha, {"prev": pha[None, None]}

    stream.backend = GatedBackend(stream.low, stream.rest, one_piece, gate=GATE)
    assert np.allclose([stream(9.0) for _ in range(HARD + CHECK)], 1, atol=1e-3)
    assert stream.low.runs == HARD + 1 and len(whole) == CHECK - 1  # the last frame was looked at again
    assert whole[-1]["prev"].mean() == pytest.approx(0.509)  # one memory, whoever made the frame
    shares = [stream(1.0) for _ in range(CHECK - 1 + QUIET + FADE)]
    assert shares[-1] == pytest.approx(0, abs=1e-3) and stream.state.simple and len(whole) == 2 * (CHECK - 1)


def test_the_way_up_is_gradual_and_at_once_if_it_is_urgent():
    stream = settled()
    assert np.allclose([stream(5.0) for _ in range(FADE + 1)], [0.25, 0.5, 0.75, 1, 1], atol=1e-3)
    stream = settled()
    assert stream(20.0) == pytest.approx(1, abs=1e-3)


def test_gaps_about_the_threshold_do_not_make_it_flutter():
    stream, switches, simple = settled(), 0, True
    for t in range(120):
        stream(4.0 + 0.2 * (-1) ** t)
        switches += stream.state.simple != simple
        simple = stream.state.simple
    assert switches == 1


def test_a_false_alarm_is_seen_through_and_learnt_from():
    stream = settled()
    runs = stream.rest.runs
    assert [stream(1.0, predicted=6.0) for _ in range(20)] == pytest.approx([0] * 20, abs=1e-3)
    assert runs < stream.rest.runs < runs + 5 and stream.state.simple


def test_what_is_not_predicted_is_found_by_the_next_check():
    stream = settled()
    stream(1.0)
    shown = [stream(6.0, predicted=1.0) for _ in range(CHECK + FADE)]
    assert shown[0] == pytest.approx(0, abs=1e-3) and shown[-1] == pytest.approx(1, abs=1e-3)


def test_no_frame_needs_the_rest_while_the_cheap_part_is_trusted():
    stream = settled()
    runs = stream.rest.runs
    for _ in range(CHECK - 1):
        stream(1.0)
    assert stream.rest.runs == runs
    stream(1.0)
    assert stream.rest.runs == runs + 1 and stream.state.since == 0 and stream.state.low is False


def test_what_is_shown_is_what_is_remembered():
    stream = Stream()
    for _ in range(QUIET + 2):
        stream(1.0)
    assert 0 < stream.state.share < 1
    assert stream.state.memory["prev"].mean() == pytest.approx(0.5 + stream.state.share / 1000, abs=1e-5)
    remembered = stream.state.memory["prev"]
    stream(1.0)
    assert stream.low.seen["prev"] is remembered


def test_one_backend_serves_many_streams():
    stream, state = settled(), Stream().state
    _, _, other = stream.backend(np.zeros((*SIZE, 3), np.uint8), state)
    assert not other.simple and other.share == 1 and stream.state.simple


def test_a_cut_begins_with_the_whole_network():
    stream = Stream()
    matter, dark = Matter(stream.backend), np.zeros((*SIZE, 3), np.uint8)
    lows = [matter(dark).low for _ in range(QUIET + FADE + 3)]
    assert lows[-1] and not lows[0]
    cut = matter(255 - dark)
    assert cut.fresh and not cut.low


def test_decided_holds_its_bounds():
    state = GateState({}, gap=3.9)
    for _ in range(40):
        state = decided(GATE, state)
    assert state.share == 1 and not state.simple  # below the threshold, but not by enough to trust it
    assert decided(GATE, replace(state, simple=True)).simple


def test_parts_that_are_none_are_refused():
    low, rest = Part("low"), Part("rest")
    with pytest.raises(ModelError, match="calibrate it"):
        GatedBackend(low, rest)
    with pytest.raises(ModelError, match="two parts"):
        GatedBackend(rest, low, gate=GATE)
    low.card["gate"] = {"signs": ["colour"], "weights": [1.0], "bias": 0.0, "threshold": 1.0}
    with pytest.raises(ModelError, match="colour"):
        GatedBackend(low, rest)


@pytest.fixture(scope="module")
def network():
    """A small tmodnet of random weights."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from koutu.models.tmodnet import Config, TMODNet

    torch.manual_seed(0)
    small = TMODNet(Config(mirrored=True, semantic_size=64, detail_channels=(4, 8), context=16))
    torch.nn.init.normal_(small.fusion_branch.correction.weight, std=0.2)
    return small.eval()


@pytest.fixture(scope="module")
def exported(network, tiny_onnx, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its two parts, beside some NAME.onnx."""
    from koutu.export.early_exit.parts import export_parts

    path = tmp_path_factory.mktemp("gate") / "tiny.onnx"
    shutil.copy(tiny_onnx, path)
    export_parts(network, path, name="tiny", pixels=64 * 96)
    assert sorted(file.name for file in path.parent.iterdir()) == ["tiny-low.onnx", "tiny-rest.onnx", "tiny.onnx"]
    return path


def clip(frames: int = 4) -> np.ndarray:
    scene = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    return np.stack([np.roll(scene, 3 * t, axis=1) for t in range(frames)])


def test_both_parts_are_the_whole_network(network, exported):
    import torch

    gated = GatedBackend(*map(OnnxBackend, runtime.parts_of(exported)), gate=replace(GATE, threshold=0.0))
    state, other = [torch.zeros(1, 1, *SIZE)], gated.initial_state(SIZE)
    for rgb in clip():
        low, _, _ = gated.begin(rgb, other.memory)
        _, pha, other = gated(rgb, other)
        with torch.no_grad():
            _, true, *state = network(torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255, *state)
        assert np.abs(pha - true[0, 0].numpy()).max() < 1e-4
        assert np.abs(low - pha).mean() > 1e-3  # or else nothing was tested


def test_the_engines_decide_alike(exported):
    pytest.importorskip("openvino")
    # in a process of its own: OpenVINO upsets the handler of SIGCHLD that PyTorch's loaders leave behind
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
        other = apart.submit(_begun, "openvino", exported).result()
    for ours, theirs, off in zip(_begun("onnxruntime", exported), other, (1e-3, 2e-3, 2e-3), strict=True):
        assert np.allclose(ours, theirs, atol=off)


def _begun(engine, exported):
    """Signs, the cheap alpha and the whole one of a picture by an engine."""
    backend = GatedBackend(*(ENGINES[engine](part) for part in runtime.parts_of(exported)), gate=GATE)
    low, signs, finish = backend.begin(clip()[0], backend.initial_state(SIZE).memory)
    return signs, low, finish()


def test_the_signs_tell_plain_scenes_from_doubtful_ones():
    torch = pytest.importorskip("torch")
    from koutu.export.early_exit.parts import signs

    outline = torch.full((1, 1, 64, 64), -9.0)
    outline[..., 16:48, 16:48] = 9
    doubtful = outline.clone()
    doubtful[..., 16:32, 16:32] = 0.3
    spread = outline.clone()
    spread[..., ::8, :] = 0.3
    plain, blob, lines = (dict(zip(SIGNS, signs(x).tolist(), strict=True)) for x in (outline, doubtful, spread))
    assert blob["doubt"] > plain["doubt"] and lines["doubt"] > plain["doubt"]
    assert blob["gathered"] - blob["doubt"] > lines["gathered"] - lines["doubt"]
    assert lines["boundary"] > plain["boundary"] > signs(torch.full((1, 1, 64, 64), -9.0))[2]


def test_calibration_foretells_gaps_and_is_written(exported, tmp_path):
    from koutu.export.early_exit.calibrate import CalibrationClip, Rows, calibrate, fit
    from koutu.zoo import load

    rng = np.random.default_rng(0)
    signs = rng.normal(-4, 1, (400, len(SIGNS)))
    gaps = np.exp(signs @ [0.8, 0.1, 0.2] + 5 + rng.normal(0, 0.05, 400)) - FLOOR
    gate, explained, factor = fit(Rows(signs, gaps, np.arange(400) // 20))
    assert explained > 0.95 and 1 < factor < 1.1
    assert gate.predicted(signs[0]) == pytest.approx(log(gaps[0] + FLOOR), abs=0.3)

    for file in (exported, *runtime.parts_of(exported)):
        shutil.copy(file, tmp_path)
    path = tmp_path / exported.name
    assert not isinstance(load(path, gate=None, steady=False), GatedBackend)  # not calibrated
    with pytest.raises(ModelError, match="koutu gate"):
        load(path, gate=True)
    truth = np.zeros((6, *SIZE), np.uint8)
    found = calibrate(
        path, [CalibrationClip(clip(6), truth), CalibrationClip(255 - clip(6), truth), CalibrationClip(clip(6))]
    )
    gates = [load(path, gate=gate, steady=False).gate for gate in (None, True)]  # type: ignore[attr-defined]
    assert gates == [found.gate, found.gate] and load(path, gate=None).inner.gate == found.gate  # type: ignore[attr-defined]
    assert not isinstance(load(path, steady=False), GatedBackend)
    alone, *others = found.tried
    assert alone.low == alone.paid == alone.jump == alone.switches == 0 and alone.error > 0
    assert found.gate.threshold in [one.threshold for one in others] and not list(tmp_path.glob("*.part"))


def test_a_threshold_on_tiny_gaps_pays_what_it_says():
    from koutu.export.early_exit.sweep import Remembering, choose, sweep

    low, rest = Part("low"), Part("rest")
    rest.alpha = 0.502
    low.gap = 2.0
    from koutu.export.clips import CalibrationClip

    pictures = np.random.default_rng(0).integers(0, 256, (30, *SIZE, 3), np.uint8)
    truth = np.full((30, *SIZE), 128, np.uint8)
    alone, below, above = sweep(
        low, rest, [replace(GATE, threshold=t) for t in (1.0, 4.0)], [CalibrationClip(pictures, truth)], lambda *_: None
    )
    assert below.low == 0 == below.paid == below.worse and below.error == alone.error < above.error
    assert 0.4 < above.low < 0.7 and above.paid == pytest.approx(2.0 * above.low, rel=0.3) and above.switches == 1
    assert above.jump == pytest.approx(2.0 / FADE, rel=0.01)
    assert choose([alone, below, above], above.worse) == 4.0 and choose([alone, below, above], 0.0) == 1.0
    part = Part("low")
    engine = Remembering(part)
    feeds = {"rgb": pictures[:1], "logits": pictures[:1]}
    assert engine.run(feeds) is engine.run({**feeds, "logits": pictures[1:2]}) and part.runs == 1
    engine.forget()
    engine.run(feeds)
    assert part.runs == 2


def test_clips_without_truth_need_a_threshold(exported):
    from koutu.export.early_exit.calibrate import CalibrationClip, calibrate

    with pytest.raises(InputError, match="threshold"):
        calibrate(exported, [CalibrationClip(clip()), CalibrationClip(clip())])


def test_made_and_filmed_clips_have_the_networks_size(tmp_path):
    from support.media import make_clip
    from support.people import make_packs

    from koutu.export.clips import clip_of, made
    from koutu.export.defaults import SceneSources

    people, backgrounds = make_packs(tmp_path)
    given = SceneSources(people, backgrounds, scenes=3, frames=2, held_out=2)
    scenes = list(made(given, lambda size: (size[0] // 20, size[1] // 20)))
    assert [scene.src.shape for scene in scenes] == [(2, 36, 64, 3), (2, 36, 64, 3), (2, 64, 36, 3)]
    assert all(scene.pha is not None and scene.pha.shape == scene.src.shape[:3] for scene in scenes)
    video = clip_of(make_clip(tmp_path / "video.mp4", frames=5), lambda size: SIZE, frames=3)
    assert video.src.shape == (3, *SIZE, 3) and video.pha is None
    with pytest.raises(InputError, match="two frames"):
        clip_of(make_clip(tmp_path / "short.mp4", frames=1), lambda size: SIZE)


def test_a_video_tells_how_many_frames_were_simple(tmp_path):
    from support.media import make_clip

    from koutu.api import convert
    from koutu.progress import summary

    source, stream = make_clip(tmp_path / "in.mp4", frames=24, rate=Fraction(25)), Stream()
    stream.low.gap, stream.rest.alpha = 1.0, 0.501
    report = convert(source, tmp_path / "out.mp4", model=stream.backend)
    assert report.low_frames and 0 < report.low_frames < 24
    share = round(100 * report.low_frames / 24)
    assert any(f"gate: {share} % of the frames" in line for line in summary(report))
    report.low_frames = None
    assert not any("gate" in line for line in summary(report) if "model" not in line)


def test_only_onnx_files_have_a_gate(exported, tiny_onnx):
    from koutu.zoo import load

    with pytest.raises(ModelError, match="--gate"):
        load("closed-form", gate=True)
    with pytest.raises(ModelError, match="--no-gate"):
        load(tiny_onnx, gate=True)
    assert isinstance(load(tiny_onnx, gate=None, steady=False), OnnxBackend)
