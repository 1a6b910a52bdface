"""The tables of README and docs, each a function of the folder that the figures lie in."""

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bars import number

FOLDER = Path("docs", "bench")
SYSTEMS = {
    "transcode": "plain transcode", "koutu onnxruntime": "koutu", "koutu gate": "koutu, `--gate`",
    "koutu-small onnxruntime": "koutu-small", "koutu openvino": "koutu, `--engine openvino`",
    "rvm": "RVM MobileNetV3", "mediapipe": "MediaPipe selfie",
}  # fmt: skip
Data = dict[str, Any]


def read(root: Path, name: str) -> Data:
    """docs/bench/NAME.json."""
    return json.loads((root / FOLDER / f"{name}.json").read_text("utf-8"))


def mattings(root: Path) -> list[Data]:
    """The runs of `koutu bench`, by size."""
    found = [json.loads(path.read_text("utf-8")) for path in (root / FOLDER).glob("matting*.json")]
    return sorted(found, key=lambda run: run["plan"]["sizes"])


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown, the first column to the left."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def where(run: Data) -> str:
    """The machine and the moment, in words."""
    machine, commit = run["machine"], run.get("commit")
    if isinstance(machine, str):  # a run of before dates and versions were kept
        return machine
    loads = [f"{run[key]:g}" for key in ("load_before", "load_after") if run.get(key) is not None]
    load = f", load average {' to '.join(loads)}" if loads else ""
    return (
        f"{machine['cores']} cores, {machine['cpu']}, {machine['system']}{load}; {run['date'][:10]}, "
        f"koutu {run['versions']['koutu']}{f' at {commit}' if commit else ''}"
    )


def size_of(pair: list[int]) -> str:
    return f"{pair[1]}×{pair[0]}"


def filled(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False) + "\n"


def speed(root: Path) -> str:
    """README: whole videos, as a reader asks for them first."""
    run = read(root, "video")
    intro = (
        f"H.264 in → composited H.264 out with `koutu video`'s settings; {where(run)}; frames a second end to end, "
        f"medians of {run['rounds']} alternating rounds in one process (`bench/video.py`, "
        "[all figures](docs/bench.md)):"
    )
    shown = [name for name in SYSTEMS if name in next(iter(run["sizes"].values()))]
    rows = [
        [size.replace("x", "×"), *(_rate(systems, name) for name in shown)] for size, systems in run["sizes"].items()
    ]
    middle = run["sizes"]["1280x720"]
    peaks = [f"{middle[name]['peak_mb']:.0f} MB" if "peak_mb" in middle[name] else "–" for name in shown]
    longest = [
        max(systems["koutu onnxruntime"]["stages"].items(), key=lambda s: s[1]) for systems in run["sizes"].values()
    ]
    stages = ", ".join(
        f"{stage} {ms:.1f} ms at {size.replace('x', '×')}"
        for (stage, ms), size in zip(longest, run["sizes"], strict=True)
    )
    outro = (
        "All run behind the same reader, compositing and writer; RVM at the ratio its documentation recommends, "
        "MediaPipe without memory. A 640×640 NV21 camera frame takes "
        f"{run['camera 640×640 NV21, ms']['onnxruntime']:.1f} ms to its NV21 composite. koutu's longest stage: "
        f"{stages}. Peak memory by length, at 160×90: {memory(root).strip()}"
    )
    lines = table(["", *(SYSTEMS[name] for name in shown)], [*rows, ["peak memory at 1280×720", *peaks]])
    return f"{filled(intro)}\n{lines}\n{filled(outro)}"


def _rate(systems: Data, name: str) -> str:
    fps = systems[name]["fps"]
    text = f"{fps:.0f}" if fps >= 10 else f"{fps:.1f}"
    return f"{text} = {systems[name]['times']['rvm']:.1f} × RVM" if name.startswith("koutu") else text


def stages(root: Path) -> str:
    """Milliseconds of every stage of whole videos."""
    sizes = read(root, "video")["sizes"]
    names = ["decode", "matte", "composite", "encode"]
    cpu = ["cpu_ms", "cpu_of_rvm"]
    rows = [
        [
            f"{size.replace('x', '×')}, {SYSTEMS[system]}",
            *(number(ms) for ms in [row["fps"], *map(row["stages"].get, names), *map(row.get, cpu)]),
        ]
        for size, systems in sizes.items()
        for system, row in systems.items()
        if row["stages"]
    ]
    return table(["", "frames/s", *(f"{name}, ms" for name in names), "CPU, ms a frame", "of RVM's"], rows)


def shares(root: Path) -> str:
    """CPU milliseconds a frame of every stage, and how many times those of a checkout before."""
    run = read(root, "stages")
    head = [
        "CPU, ms a frame",
        *(f"{size.replace('x', '×')} {of}" for size in run["sizes"] for of in ("before", "now", "ratio")),
    ]
    names = [name for name in next(iter(run["sizes"].values()))["now"] if name != "peak_mb"]
    rows = [
        [name, *(f"{found[of][name]:.2f}" for found in run["sizes"].values() for of in ("before", "now", "ratio"))]
        for name in names
    ]
    peaks = [[f"{found[of]['peak_mb']:.0f}" for of in ("before", "now")] for found in run["sizes"].values()]
    rows.append(["peak, MB", *(cell for (a, b) in peaks for cell in (a, b, f"{int(b) / int(a):.2f}"))])
    intro = f"Medians of {run['rounds']} alternating rounds of {run['frames']} frames; {where(run)}."
    return f"{filled(intro)}\n{table(head, rows)}"


def memory(root: Path) -> str:
    """One line: the peak at each length."""
    run = read(root, "memory")
    found = [f"{mb:.0f} MB for {seconds} frames" for seconds, mb in run["peak_mb"].items()]
    return f"{', '.join(found)} (`bench/memory.py`).\n"


def matting(root: Path) -> str:
    """The matting stage, a table a size."""
    return "\n".join(_matting(run) for run in mattings(root))


def _matting(run: Data) -> str:
    reference = next(row["model"] for row in run["rows"] if row["reference"])
    head = [
        "model",
        "engine",
        "threads",
        "median ms",
        "p95",
        "spread",
        "network ms",
        "frames/s",
        f"× {reference}",
        "peak MB",
    ]
    parts = [f"### {', '.join(size_of(size) for size in run['plan']['sizes'])}\n\n{filled(where(run) + '.')}\n"]
    rows = [_matting_row(row) for row in run["rows"] if not row["error"]]
    failed = [f"- {row['model']} on {row['engine']}: {row['error']}\n" for row in run["rows"] if row["error"]]
    return "".join(
        [*parts, table(head, rows), *(["\nFailed:\n\n"] if failed else []), *failed, f"\nEnergy: {run['energy']}.\n"]
    )


def _matting_row(row: Data) -> list[str]:
    ms, peak = row["ms"], row["memory_mb"]
    timed = [ms["median"], ms["p95"], ms["iqr"], row["network_ms"]["median"], row["fps"]]
    times = "–" if row["times_reference"] is None else f"{row['times_reference']:.2f}"
    return [
        row["model"], row["engine"], str(row["threads"] or "auto"), *(number(value) for value in timed), times,
        f"{peak['peak']:.0f}" if isinstance(peak, dict) else "–",
    ]  # fmt: skip


def cost(root: Path) -> str:
    """Files, parameters and multiply-accumulates of what was measured, a line a file and size."""
    rows: dict[tuple[str, ...], None] = {}
    for run in mattings(root):
        for row in run["rows"]:
            found = row["cost"]
            scaled = [(found["bytes"], 1e6), (found["params"], 1e6), (found["macs"], 1e9)]
            figures = ["unknown" if value is None else f"{value / unit:.3g}" for value, unit in scaled]
            at = size_of(found["at"]) if found["at"] else "–"
            if not row["error"]:
                rows[(row["model"], found["file"] or "–", *figures, at, found["source"])] = None
    head = ["model", "file", "MB", "million parameters", "GMACs", "at", "from"]
    return table(head, [list(row) for row in rows])


def metrics(root: Path) -> str:
    """Connectivity beside a labelling for every threshold."""
    run = read(root, "metrics")
    rows = [
        [name, *(number(r[key]) for key in ("labelling_ms", "koutu_ms", "ratio", "value")), f"{r['difference']:.2g}"]
        for name, r in run["pictures"].items()
    ]
    head = ["alphas", "labelling each threshold, ms", "koutu, ms", "ratio", "value", "difference"]
    intro = f"{size_of(run['size'])}, medians of {run['rounds']} alternating rounds; {where(run)}."
    return f"{filled(intro)}\n{table(head, rows)}"


def loader(root: Path) -> str:
    """Training samples a second, and a recipe's loader beside its network."""
    run = read(root, "loader")
    row = run["training"]
    kinds = [[f"{k['size']}² × {k['frames']}", number(k["wall"]), number(k["cpu"])] for k in run["kinds"]]
    ways = row["loader"]["wall"], row["network_step"]["wall"], row["ratio"]["wall"], row["ratio"]["cpu"]
    intro = f"Medians of {run['rounds']} alternating rounds; {where(run)}."
    name = f"`{run['recipe']}`"
    means = (
        f"{name}'s first pass: {row['objective']}, batches of {row['batch']} at {row['size']}², "
        f"{row['precision']}, the network on {row['threads']} thread{'s' * (row['threads'] > 1)}."
    )
    head = ["recipe", "loader, samples/s", "network, samples/s", "ratio", "ratio of CPU"]
    return (
        f"{filled(intro)}\n{table(['size × frames', 'samples/s', 'a second of CPU'], kinds)}\n{filled(means)}\n"
        f"{table(head, [[name, *map(number, ways)]])}"
    )


def edge(root: Path) -> str:
    """The network alone at 192×192 in one thread, beside the article's figure and peers."""
    run = read(root, "edge")
    rows = [
        [
            row["model"], row["engine"], row["precision"], size_of(row["size"]), number(row["ms"]),
            number(row["least_ms"]), f"{row['times_article']:.1f}",
            "–" if row["int8_error_x1000"] is None else f"{row['int8_error_x1000']:.2f}",
        ]
        for row in run["rows"]
    ]  # fmt: skip
    head = ["", "engine", "", "size", "ms", "least", f"× {run['article_ms']:g} ms", "int8 off float32, × 1000"]
    intro = f"Medians of {run['rounds']} alternating rounds in one process; {where(run)}."
    return f"{filled(intro)}\n{table(head, rows)}"


BLOCKS: dict[str, Callable[[Path], str]] = {
    "speed": speed, "stages": stages, "shares": shares, "memory": memory, "matting": matting, "cost": cost,
    "metrics": metrics, "loader": loader, "edge": edge,
}  # fmt: skip
