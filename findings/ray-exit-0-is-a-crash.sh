#!/usr/bin/env bash
# A task of Ray whose process leaves with status 0 (sys.exit() in it, or in a library it calls) has neither succeeded nor
# raised: Ray takes it for a machine's trouble, runs it again three more times, each in a new process, and only then tells
# the caller that the worker crashed. max_retries counts these, retry_exceptions, off by default, does not.
# Matting cares because one item of a batch then costs four items' work before it is set aside, and what a library means
# as an orderly end is counted with segmentation faults; koutu gives max_retries=0 and counts tries itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check ray==2.60.0
cat >"$folder/try.py" <<'PYTHON'
import os
import sys
from pathlib import Path

import ray

place = Path(os.environ["PLACE"])
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error", _temp_dir=str(place / "ray"))
print("ray", ray.__version__)


def leave(name: str) -> None:
    with open(place / name, "a") as file:
        file.write(".")
    sys.exit(0)


for name, options in (("usual", {}), ("once", {"max_retries": 0})):
    try:
        ray.get(ray.remote(leave).options(**options).remote(name))
    except Exception as error:
        print(f"{name}: ran {(place / name).stat().st_size} times, then {type(error).__name__}")
PYTHON
export RAY_USAGE_STATS_ENABLED=0 PLACE="$folder"
"$folder/venv/bin/python" "$folder/try.py" | grep -E '^(ray|usual|once)' | tee "$folder/said" # Ray tells of it at length
diff "$folder/said" - <<'EXPECTED'
ray 2.60.0
usual: ran 4 times, then WorkerCrashedError
once: ran 1 times, then WorkerCrashedError
EXPECTED
echo "as described"
