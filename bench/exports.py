"""Processor seconds of `koutu export`, target by target, by this checkout and another one in turn.

python bench/exports.py [--before CHECKOUT] [--model koutu-small] [--rounds 1] [--targets onnx hilens] [--json FILE]

Each export is a process of its own, with one thread of PyTorch's, and its time is that of the process and its children:
on a machine with other work to do, seconds on the clock tell nothing. On free cores an export takes no more than that.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from koutu.bench.run import about_run, save
from koutu.machine import load_average

HERE = Path(__file__).resolve().parent.parent
SUFFIXES = {"onnx": ".onnx", "openvino": ".xml", "tflite": ".tflite", "ncnn": ".param", "caffe": ".caffemodel"}
TARGETS = ("onnx", "onnx int8", "openvino", "tflite", "coreml", "ncnn", "caffe", "ascend", "hilens")


def exported(checkout: Path, model: str, target: str) -> dict[str, Any]:
    """One export by a checkout; RuntimeError with what it said if it fails."""
    kind, _, precision = target.partition(" ")
    environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as said:
        words = ["export", model, "--to", kind, "-o", str(Path(folder) / f"net{SUFFIXES.get(kind, '')}")]
        words += ["--precision", precision] if precision else []
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "koutu", *words], env=environment, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{target} by {checkout} ended with {process.returncode}: {said.read()[-500:]}")
        wall = time.perf_counter() - began
    return {"cpu_s": round(usage.ru_utime + usage.ru_stime, 2), "wall_s": round(wall, 1), "load": load_average()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--model", default="koutu-small")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--targets", nargs="*", default=TARGETS)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    sides = ({"before": args.before.resolve()} if args.before else {}) | {"now": HERE}
    rows: list[dict[str, Any]] = []
    for number in range(args.rounds):
        for target in args.targets:
            for side, checkout in sides.items():
                row = {"target": target, "side": side, "round": number} | exported(checkout, args.model, target)
                rows.append(row)
                print(f"{target:10} {side:7} {row['cpu_s']:7.1f} s of a core, {row['wall_s']:7.1f} s", flush=True)
                if args.json:
                    save(about_run() | {"model": args.model, "exports": rows}, args.json)


if __name__ == "__main__":
    main()
