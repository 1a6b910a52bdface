"""Predictions for chips that are not here: what a layer needs, what joins, what is said, what is refused."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from koutu.types import InputError, ModelError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxslim")
pytest.importorskip("torch")

from support.graphs import f32, network  # noqa: E402

from koutu.bench import target_text  # noqa: E402
from koutu.bench.target import predict  # noqa: E402
from koutu.bench.target_chips import CHIPS, chip  # noqa: E402
from koutu.bench.target_layers import layers  # noqa: E402
from koutu.export.onnx_graph import load  # noqa: E402

CONV = network((1, 20, 8, 10), [("Conv", ["w"], {"pads": [1] * 4}), ("Relu", [], {})], {"w": f32(40, 20, 3, 3)})


def test_channels_count_in_sixteens():
    (layer,) = layers(load(CONV))
    assert layer.kind == "Conv + Relu" and layer.shape == (1, 40, 8, 10)
    assert layer.macs == 80 * 9 * 20 * 40
    assert layer.padded == 80 * 9 * 32 * 48
    assert layer.bytes == 2 * (80 * 32 + 80 * 48 + 40 * 32 * 9)


def test_a_depthwise_convolution_takes_a_block_for_sixteen_channels():
    model = network((1, 32, 8, 8), [("Conv", ["w"], {"group": 32, "pads": [1] * 4})], {"w": f32(32, 1, 3, 3)})
    (layer,) = layers(load(model))
    assert layer.macs == 64 * 9 * 32 and layer.padded == 64 * 9 * 2 * 256


def test_what_is_read_twice_is_written():
    nodes = [("Relu", [], {}), ("Sigmoid", [], {}), ("Mul", ["t0"], {})]
    found = layers(load(network((1, 16, 4, 4), nodes)))
    assert [layer.kind for layer in found] == ["Relu", "Sigmoid + Mul"]
    products = layers(load(network((1, 4, 6, 16), [("MatMul", ["w"], {})], {"w": f32(16, 8)})))
    assert products[0].macs == 4 * 6 * 16 * 8 and products[0].padded == 4 * 16 * 16 * 16


def test_each_layer_waits_for_its_slowest_need(tmp_path):
    onnx.save(CONV, tmp_path / "net.onnx")
    found = predict(str(tmp_path / "net.onnx"), "ascend310", (8, 10))
    (row,) = found["layers"]
    needs = [row[f"{need}_us"] for need in ("products", "arithmetic", "memory")]
    assert row["us"] == max(needs) and found["ms"] == pytest.approx(max(needs) / 1000)
    about = chip("ascend310")
    assert needs[0] == pytest.approx(2 * row["padded"] / (about.teraflops * 1e12) * 1e6)
    assert needs[2] == pytest.approx(row["bytes"] / (about.gigabytes * 1e9) * 1e6)
    int8 = predict(str(tmp_path / "net.onnx"), "ascend310", (8, 10), "int8")["layers"][0]
    assert int8["products_us"] == pytest.approx(needs[0] / 2)


def test_a_prediction_calls_itself_one(tmp_path, tiny_onnx):
    from koutu.cli import app

    out = tmp_path / "out.json"
    done = CliRunner().invoke(
        app, ["bench", str(tiny_onnx), "--target", "ascend310b", "--size", "160x96", "--json", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert done.output.startswith("PREDICTION, not a measurement") and "predicted: " in done.output
    assert "Not counted: starting a kernel" in done.output and "LPDDR4X" in done.output
    (kept,) = json.loads(out.read_text())["predictions"]
    assert "prediction" in kept["what"] and kept["network_size"] == [96, 160]
    assert max(map(len, done.output.splitlines()[1:])) <= 100


def test_what_the_list_does_not_know_is_said(tmp_path):
    onnx.save(network((1, 3, 8, 8), [("Erf", [], {}), ("HardSwish", [], {})]), tmp_path / "net.onnx")
    found = predict(str(tmp_path / "net.onnx"), "ascend310", (8, 8))
    assert len(found["rewritten"]) == 1 and "Erf" in found["not_counted"][0]
    text = "\n".join(target_text.lines(found))
    assert "NOT COUNTED" in text and "1 operators" in text


def test_every_chip_says_where_its_numbers_are_from():
    for about in CHIPS.values():
        assert len(about.source) > 40 and about.teraflops > 0 and about.gigabytes > 0 and about.vector > 0


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (("koutu", "ascend910", (720, 1280)), InputError, "ascend310b"),
        (("koutu", "ascend310", (720, 1280), "fp8"), InputError, "int8"),
        (("nobody", "ascend310", (720, 1280)), ModelError, "modnet=random"),
        (("modnet", "ascend310", (720, 1280)), ModelError, "modnet=WEIGHTS"),
        (("none.onnx", "ascend310", (720, 1280)), InputError, "none.onnx"),
    ],
)
def test_what_cannot_be_predicted_is_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        predict(*arguments)


def test_the_edge_table_is_made_of_its_figures(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent.parent.parent / "tools")
    edge = importlib.import_module("bench_tables").edge
    about = {
        "date": "2026-11-28T20:00+00:00", "commit": "abc", "versions": {"koutu": "0.1.0"}, "load_before": 1.0,
        "load_after": 2.0, "machine": {"cores": 2, "cpu": "a CPU", "system": "Linux"}, "rounds": 3, "threads": 1,
        "article_ms": 13.8,
    }  # fmt: skip
    row = {
        "model": "koutu-small",
        "engine": "openvino",
        "precision": "int8",
        "size": [192, 192],
        "ms": 2.5,
        "least_ms": 2.0,
    }
    row |= {"times_first": 1.5, "times_article": 5.52, "int8_error_x1000": 0.25}
    folder = tmp_path / "docs" / "bench"
    folder.mkdir(parents=True)
    (folder / "edge.json").write_text(json.dumps(about | {"rows": [row]}))
    text = edge(tmp_path)
    assert (
        "| koutu-small | openvino | int8 | 192×192 | 2.5 | 2.0 | 5.5 | 0.25 |" in text and "load average 1 to 2" in text
    )
    assert np.isclose(row["times_article"], 13.8 / 2.5)
