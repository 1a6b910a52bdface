#!/usr/bin/env bash
# Ray runs every worker at a niceness 15 above its own, on Linux, unless RAY_worker_niceness says otherwise where a
# machine is started: by design, so that Ray's own processes stay quick. Whatever else a machine does, at an ordinary
# priority, has some thirty times a worker's share of each core.
# Matting cares because a worker is all computation: on a machine that also encodes, serves or learns, the same batch
# that has half of the cores as plain processes stands nearly still under Ray, with a free core in Ray's own count.
set -euo pipefail
[ "$(nice)" -lt 19 ] || { echo "not tried: nothing gives way more than this does"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check ray==2.60.0
cat >"$folder/try.py" <<'PYTHON'
import os

import ray

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error", _temp_dir=os.environ["PLACE"])


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


here, there = niceness(), ray.get(ray.remote(niceness).remote())
print("ray", ray.__version__)
print("a worker has the driver's niceness:", there == here)
print("a worker has 15 more, or the most there is:", there == min(19, here + 15))
PYTHON
export RAY_USAGE_STATS_ENABLED=0 PLACE="$folder/ray"
"$folder/venv/bin/python" "$folder/try.py" | tee "$folder/usual"
RAY_worker_niceness=0 "$folder/venv/bin/python" "$folder/try.py" | tee "$folder/asked"
diff "$folder/usual" - <<'EXPECTED'
ray 2.60.0
a worker has the driver's niceness: False
a worker has 15 more, or the most there is: True
EXPECTED
diff "$folder/asked" - <<'EXPECTED'
ray 2.60.0
a worker has the driver's niceness: True
a worker has 15 more, or the most there is: False
EXPECTED
echo "as described"
