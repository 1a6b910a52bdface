"""Peak memory of one case, in a process of its own: python -m koutu.bench.memory CASE_AS_JSON."""

import json
import subprocess
import sys
from dataclasses import asdict

from koutu.bench.cases import Case
from koutu.bench.rounds import Runner, SampleClip
from koutu.machine import peak_mb

PICTURES = 4  # few, so that what is counted is the model and not the frames waiting for it


def of_case(case: Case) -> dict[str, float] | str:
    """Megabytes "peak" and, of those, "before" the model was opened; or in words why there are none."""
    job = json.dumps(asdict(case))
    done = subprocess.run([sys.executable, "-m", __name__, job], capture_output=True, text=True, check=False)
    lines = done.stdout.split("\n")
    if done.returncode or len(lines) < 2:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return f"not measured: {reason}"
    return json.loads(lines[-2])


def watched(case: Case) -> dict[str, float] | str:
    """The same of this process."""
    clip = SampleClip(case.size, pictures=PICTURES)
    before = peak_mb()
    Runner(case, clip, case.open()).turn(0, 0.0, None)
    peak = peak_mb()
    if before is None or peak is None:
        return "not reported by this machine"
    return {"peak": round(peak, 1), "before": round(before, 1)}


if __name__ == "__main__":
    described = json.loads(sys.argv[1])
    print(json.dumps(watched(Case(**{**described, "size": tuple(described["size"])}))))
