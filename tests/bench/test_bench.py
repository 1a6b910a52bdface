"""Benchmarks: their order, their figures, what fails, and the tables that are written from them."""

import ctypes
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from koutu.bench import cost, energy, memory, rounds, run, text
from koutu.bench.cases import Case, cases
from koutu.bench.plan import BenchPlan
from koutu.bench.rounds import Result, SampleClip, Turn
from koutu.cli.bench import bench as command
from koutu.engines.backend import Backend
from koutu.types import InputError, ModelError, OutputError
from koutu.zoo import packaged

ROOT = Path(__file__).parent.parent.parent
TINY = (36, 64)


class Fake(Backend):
    """A network that gives one value, tells when it was called, and breaks at a call if it is to."""

    def __init__(self, name: str, log: list[str], breaks_at: int = -1, error: BaseException | None = None):
        self.name, self.log, self.breaks_at, self.calls = name, log, breaks_at, 0
        self.error = error or ModelError("it broke")

    def network_size(self, size):
        return size

    def initial_state(self, size):
        return None

    def __call__(self, rgb, state, **hints):
        self.calls += 1
        if self.calls == self.breaks_at:
            raise self.error
        self.log.append(self.name)
        return None, np.full(rgb.shape[:2], 0.5, np.float32), state


@pytest.fixture
def fakes(monkeypatch):
    """Names → fakes that load under them; their calls in order."""
    log: list[str] = []
    known = {name: Fake(name, log) for name in "abc"}

    def load(spec, **options):
        if spec not in known:
            raise ModelError(f"no {spec}")
        return known[spec]

    monkeypatch.setattr("koutu.bench.cases.load_named", load)
    return known, log


def quick(**options) -> BenchPlan:
    return BenchPlan(**{"sizes": [TINY], "rounds": 2, "seconds": 0.0, "memory": False, "against": "a", **options})


def turn(*ms: float) -> Turn:
    return Turn(0, list(ms), list(ms), None)


def test_models_take_turns_and_every_second_round_goes_backwards(fakes):
    _, log = fakes
    content = run.bench(["b", "c"], quick(rounds=3))
    frames = rounds.WARM + rounds.LEAST
    turns = [log[i] for i in range(0, len(log), frames)]
    assert turns == [*"abc", *"abc", *"cba", *"abc"]  # the first three warm up
    assert [name for name in turns for _ in range(frames)] == log
    positions = {row["model"]: [r["position"] for r in row["rounds"]] for row in content["rows"]}
    assert positions == {"a": [0, 2, 0], "b": [1, 1, 1], "c": [2, 0, 2]}


def test_a_benchmark_tells_all_that_is_needed_to_judge_it(tmp_path):
    content = run.bench(["koutu-small"], quick(against="koutu-small", engines=["onnxruntime"]))
    run.save(content, tmp_path / "out.json")
    kept = json.loads((tmp_path / "out.json").read_text())
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
    assert {"date", "commit", "machine", "versions", "load_before", "load_after", "energy", "plan"} < set(kept)
    assert kept["versions"]["koutu"] and kept["machine"]["cores"] >= 1 and kept["plan"]["rounds"] == 2
    (row,) = kept["rows"]
    assert row["reference"] and row["times_reference"] == 1 and row["engine"] == "onnxruntime" and not row["error"]
    assert row["size"] == list(TINY) and row["cost"]["file"] == "koutu-small.onnx"
    assert row["cost"]["bytes"] == packaged("koutu-small").stat().st_size
    assert len(row["rounds"]) == 2 and all(len(r["ms"]) == len(r["network_ms"]) == 2 for r in row["rounds"])
    assert all(0 < n < ms for r in row["rounds"] for ms, n in zip(r["ms"], r["network_ms"], strict=True))
    frames = [ms for r in row["rounds"] for ms in r["ms"]]
    assert row["ms"]["median"] == pytest.approx(np.median(frames), rel=1e-3) and row["fps"] > 0
    assert row["joules_a_frame"] == energy.UNKNOWN or row["joules_a_frame"] > 0
    lines = list(text.lines(content))
    assert any("koutu-small *" in line for line in lines) and max(map(len, lines)) <= 100
    assert '"ms": [' in (tmp_path / "out.json").read_text()


def test_ratios_are_medians_of_the_rounds_own():
    reference = [turn(10, 20, 30), turn(40, 40), turn(90)]
    mine = [turn(10, 10), turn(10, 30), turn(30)]  # ratios of medians: 2, 2, 3
    assert run.ratio(reference, mine) == 2
    assert run.ratio(reference, [turn(20), turn(4), turn(90)]) == 1  # of 1, 10, 1; the ratio of all medians is 2
    assert run.spread([1, 2, 3, 4, 5]) == pytest.approx({"median": 3, "p95": 4.8, "iqr": 2})


@pytest.mark.parametrize("error", [ModelError("it broke"), RuntimeError("it broke"), MemoryError()])
@pytest.mark.parametrize("at", [1, 10])
def test_a_model_that_fails_is_listed_and_the_others_go_on(fakes, at, error):
    known, log = fakes
    known["b"] = Fake("b", log, breaks_at=at, error=error)
    content = run.bench(["b", "c", "nonsense"], quick(rounds=3))
    rows = {row["model"]: row for row in content["rows"]}
    assert rows["b"]["error"] and "rounds" not in rows["b"] and rows["nonsense"]["error"] == "no nonsense"
    assert len(rows["a"]["rounds"]) == len(rows["c"]["rounds"]) == 3 and rows["c"]["times_reference"] > 0
    told = "\n".join(text.lines(content))
    assert f"failed: b, onnxruntime, 64×36: {rows['b']['error']}" in told and "no nonsense" in told


def test_without_its_reference_a_model_is_still_measured(fakes):
    content = run.bench(["b"], quick(against="nonsense"))
    reference, row = content["rows"]
    assert reference["reference"] and reference["error"] and row["times_reference"] is None and row["ms"]["median"] > 0
    assert any("64×36" in line for line in text.lines(content))


def test_the_command_tells_failures_by_its_exit_code(fakes, tmp_path, capsys):
    with pytest.raises(typer.Exit) as told:
        command(["b", "n" * 120], against="a", size=["64x36"], rounds=1, seconds=0.0, memory=False, json=tmp_path / "o")
    assert told.value.exit_code == 5 and len(json.loads((tmp_path / "o").read_text())["rows"]) == 3
    out = capsys.readouterr().out
    assert "failed: nnn" in out and max(map(len, out.splitlines())) <= 100


def test_an_interruption_leaves_nothing(fakes, tmp_path):
    known, log = fakes
    known["b"] = Fake("b", log, breaks_at=7, error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        command(["b"], against="a", size=["64x36"], seconds=0.0, memory=False, json=tmp_path / "out.json")
    assert not list(tmp_path.iterdir())


def test_the_command_measures_every_size_and_number_of_threads(fakes, tmp_path, capsys):
    out = tmp_path / "out.json"
    command(["b"], against="a", size=["64x36,32x20"], threads=["1", "2"], rounds=1, seconds=0.0, memory=False, json=out)
    rows = json.loads(out.read_text())["rows"]
    where = [(row["size"], row["threads"], row["model"]) for row in rows]
    assert where == [(s, t, m) for s in ([36, 64], [20, 32]) for t in (1, 2) for m in "ab"]
    assert "32×20, 2 threads" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [{"size": ["720p"]}, {"threads": ["many"]}, {"size": []}, {"json": Path("nowhere", "out.json")}],
)
def test_wrong_wishes_are_told_before_anything_runs(fakes, wrong):
    with pytest.raises((InputError, OutputError), match="expected"):
        command(["b"], **wrong)
    assert not fakes[1]


def test_engines_that_a_model_lacks(fakes):
    plan = quick(engines=["openvino", "torch"])
    found = {(case.name, case.engine, bool(case.fault)) for case in cases(["rvm=random", "b", "knn"], plan)}
    assert found == {
        ("a", "onnxruntime", False), ("rvm", "torch", False), ("b", "openvino", False), ("knn", "", True)
    }  # fmt: skip


def test_the_sample_goes_back_and_forth_and_brings_hints():
    clip = SampleClip(TINY, pictures=3)
    first = [id(clip[i].picture) for i in range(3)]
    assert [first.index(id(clip[i].picture)) for i in range(6)] == [0, 1, 2, 1, 0, 1] and clip[5].size == TINY
    assert [clip[i].pts for i in range(3)] == [0, 3000, 6000]
    hints = clip.hints(("trimap", "bgr"), 4)
    assert set(np.unique(hints["trimap"])) <= {0, 128, 255} and hints["bgr"].shape == (*TINY, 3)
    assert clip.hints(("trimap",), 0)["trimap"] is hints["trimap"]  # made once


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read the Linux way")
def test_memory_is_of_a_process_of_its_own():
    (case,) = cases(["koutu"], BenchPlan(sizes=[TINY]))
    found = memory.of_case(case)
    assert isinstance(found, dict) and found["peak"] > found["before"] + 10
    broken = memory.of_case(Case("x", "nonsense", "", "onnxruntime", "", 0, TINY))
    assert isinstance(broken, str) and "nonsense" in broken


def test_energy_is_counted_over_the_counters_end(tmp_path):
    for name, value in {"intel-rapl:0": 900, "intel-rapl:1": 50, "intel-rapl:0:0": 7}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(f"{value}\n")
        (tmp_path / name / "max_energy_range_uj").write_text("1000\n")
    meter = energy.RaplMeter(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("100\n")  # began anew: 200 more
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("80\n")
    assert meter.joules() == pytest.approx(230e-6) and meter.joules() == pytest.approx(230e-6)
    with pytest.raises(OSError):
        energy.RaplMeter(tmp_path / "none")


def test_energy_of_a_card_is_what_its_driver_says():
    class Nvml:
        code = 0

        def nvmlInit_v2(self):
            return self.code

        def nvmlDeviceGetHandleByIndex_v2(self, index, card):
            return 0

        def nvmlDeviceGetTotalEnergyConsumption(self, card, out):
            ctypes.cast(out, ctypes.POINTER(ctypes.c_ulonglong))[0] = 12_500
            return 0

    assert energy.NvmlMeter(lambda name: Nvml()).joules() == 12.5
    Nvml.code = 9
    with pytest.raises(OSError, match="9"):
        energy.NvmlMeter(lambda name: Nvml())


def graph(onnx, nodes, inputs, weights, *, outputs=("out",), kind=1):
    """A model of nodes (type, inputs, output, attributes)."""
    helper = onnx.helper
    made = [helper.make_node(op, names.split(), [out], **attributes) for op, names, out, attributes in nodes]
    tensors = [
        helper.make_tensor(name, kind if np.ndim(value) else 7, np.shape(value), np.ravel(value))
        for name, value in weights.items()
    ]
    given = [helper.make_tensor_value_info(name, 1, shape) for name, shape in inputs.items()]
    wanted = [helper.make_tensor_value_info(name, 1, None) for name in outputs]
    return helper.make_model(helper.make_graph(made, "g", given, wanted, tensors), ir_version=10,
                             opset_imports=[helper.make_opsetid("", 17)])  # fmt: skip


def test_multiply_accumulates_equal_those_counted_by_hand(tmp_path):
    onnx = pytest.importorskip("onnx")
    nodes = [
        ("Conv", "x w1", "a", {"pads": [1, 1, 1, 1], "strides": [2, 2]}),  # 3 → 8 at 5×6: 8·5·6·3·9 = 6480
        ("Relu", "a", "b", {}),
        ("Conv", "b w2", "c", {"group": 8, "pads": [1, 1, 1, 1]}),  # of each channel its own: 8·5·6·9 = 2160
        ("ConvTranspose", "c w3", "d", {"strides": [2, 2]}),  # 8 → 4, 2×2, from 5×6: 8·5·6·4·4 = 3840
        ("GlobalAveragePool", "d", "e", {}),
        ("Flatten", "e", "f", {}),
        ("Gemm", "f w4", "g", {"transB": 1}),  # 4 → 7: 28
        ("MatMul", "g w5", "out", {}),  # 7 → 2: 14
    ]
    shapes = {"w1": (8, 3, 3, 3), "w2": (8, 1, 3, 3), "w3": (8, 4, 2, 2), "w4": (7, 4), "w5": (7, 2)}
    weights = {name: np.zeros(shape) for name, shape in shapes.items()}
    fixed = graph(onnx, nodes, {"x": (1, 3, 10, 12)}, weights)
    assert cost.count_macs(fixed, {}) == 6480 + 2160 + 3840 + 28 + 14
    open_sided = graph(onnx, nodes, {"x": (1, 3, "h", "w")}, weights)
    onnx.save(open_sided, tmp_path / "n.onnx")
    found = cost.onnx_cost(tmp_path / "n.onnx", {"x": (1, 3, 10, 12)}, (10, 12))
    assert found.macs == 12522 and found.at == (10, 12) and found.precision == "fp32" and found.file == "n.onnx"
    assert found.params == 216 + 72 + 128 + 28 + 14 and found.bytes == (tmp_path / "n.onnx").stat().st_size
    unknown = cost.onnx_cost(tmp_path / "n.onnx", {})
    assert unknown.macs is None and unknown.at is None and unknown.params == found.params


def test_shapes_that_inference_leaves_open_are_seen_in_a_run():
    onnx = pytest.importorskip("onnx")
    nodes = [
        ("ReduceMax", "x", "m", {"keepdims": 0}),
        ("Cast", "m", "n", {"to": 7}),
        ("Add", "n two", "s", {}),  # a number that follows from the picture's values
        ("Unsqueeze", "s axis", "k", {}),
        ("Concat", "one one k k", "sizes", {"axis": 0}),
        ("Expand", "v sizes", "big", {}),
        ("Conv", "big w", "out", {}),  # 1 → 1, 1×1, at 2×2 when all is zero
    ]
    weights = {"w": np.zeros((1, 1, 1, 1)), "v": np.zeros((1, 1, 1, 1)), "two": np.int64(2)}
    model = graph(onnx, nodes, {"x": (4,)}, weights)
    for name, value in {"one": 1, "axis": 0}.items():
        model.graph.initializer.append(onnx.helper.make_tensor(name, 7, (1,), [value]))
    assert cost.count_macs(model, {}) == 4


def test_branches_are_not_counted():
    onnx = pytest.importorskip("onnx")
    branch = graph(onnx, [("Conv", "x w", "out", {})], {}, {}).graph
    nodes = [("If", "yes", "out", {"then_branch": branch, "else_branch": branch})]
    model = graph(onnx, nodes, {"x": (1, 1, 4, 4)}, {"w": np.zeros((1, 1, 1, 1))})
    model.graph.initializer.append(onnx.helper.make_tensor("yes", 9, (), [True]))
    assert cost.count_macs(model, {}) is None


def test_files_of_other_precision_lie_beside(tmp_path):
    onnx = pytest.importorskip("onnx")
    for name, kind in (("net.onnx", 1), ("net-fp16.onnx", 10)):
        model = graph(onnx, [("MatMul", "x w", "out", {})], {"x": (1, 4)}, {"w": np.zeros((4, 4))}, kind=kind)
        onnx.save(model, tmp_path / name)
    spec = str(tmp_path / "net.onnx")
    plan = BenchPlan(against="a", precisions=["fp32", "fp16", "int8"])
    assert [(c.precision, c.file) for c in cases([spec], plan)[1:]] == [("fp32", "net.onnx"), ("fp16", "net-fp16.onnx")]
    (case,) = cases([spec], BenchPlan(against=spec))
    assert case.precision == "fp32" and case.name == "net"
    (_, missing) = cases([spec], BenchPlan(against="a", precisions=["int8"]))
    assert "int8" in missing.fault and missing.name == "net"
    both = cases([spec, str(tmp_path / "net-fp16.onnx")], BenchPlan(against=spec))
    assert [(c.name, c.precision) for c in both] == [("net", "fp32"), ("net-fp16", "fp16")]


def test_a_size_has_the_file_of_its_own(tmp_path):
    for side in (36, 64):
        (tmp_path / f"n{side}x64.tflite").write_bytes(b"")
    spec = f"mediapipe-selfie-tflite={tmp_path}/n{{h}}x{{w}}.tflite"
    found = cases([spec], BenchPlan(sizes=[(36, 64), (64, 64)], threads=[1, 2], against=spec))
    assert [(case.size[0], case.threads, case.file, case.name) for case in found] == [
        (side, threads, f"n{side}x64.tflite", "mediapipe-selfie-tflite") for side in (36, 64) for threads in (1, 2)
    ]


def test_energy_and_failures_of_a_result_are_in_its_row():
    case = Case("x", "x", "", "onnxruntime", "fp32", 1, TINY)
    result = Result(case, turns=[Turn(0, [1.0, 1.0], [0.5, 0.5], 4.0), Turn(0, [1.0], [0.5], 6.0)])
    row = run._row(result, result)
    assert row["joules_a_frame"] == 4 and row["fps"] == 1000


def checked(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "make_tables.py"), "--check", "--root", str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_tables_are_what_the_figures_say():
    done = checked(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "name, keys, stale",
    [
        ("video", ("sizes", "1280x720", "koutu onnxruntime", "fps"), {"README.md", "bench.md", "video.svg"}),
        ("metrics", ("pictures", "crumbs", "ratio"), {"bench.md"}),
        ("memory", ("peak_mb", "7200"), {"README.md", "bench.md"}),
        ("loader", ("training", "ratio", "wall"), {"bench.md"}),
        ("matting-1280x720", ("rows", 0, "ms", "median"), {"bench.md"}),
    ],
)
def test_a_changed_number_makes_tables_stale(tmp_path, name, keys, stale):
    shutil.copy(ROOT / "README.md", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    path = tmp_path / "docs" / "bench" / f"{name}.json"
    content = json.loads(path.read_text())
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] *= 3
    path.write_text(json.dumps(content))
    done = checked(tmp_path)
    assert done.returncode == 1
    assert {
        Path(line.removeprefix("stale: ")).name for line in done.stdout.splitlines() if line.startswith("stale")
    } == stale


def test_marks_that_mean_nothing_are_told(tmp_path):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "README.md").write_text("<!-- bench:nothing -->\n<!-- /bench -->\n")
    done = checked(tmp_path)
    assert done.returncode == 1 and "README.md: expected marks" in done.stderr


def test_the_labelling_beside_connectivity_gives_its_values():
    pytest.importorskip("scipy")
    spec = importlib.util.spec_from_file_location("bench_metrics", ROOT / "bench" / "metrics.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rng = np.random.default_rng(0)
    true = np.clip(np.hypot(*np.mgrid[-20:20, -30:30]) * 12 - 60, 0, 255)
    pred = np.clip(true + rng.normal(0, 60, true.shape), 0, 255)
    row = module.measure(pred.astype(np.uint8), true.astype(np.uint8), 2)
    assert row["difference"] < 1e-9 and row["value"] > 1 and len(row["rounds"]["koutu"]) == 2
