#!/usr/bin/env bash
# Encoders ask for many threads, not for privileges. SVT-AV1, which PyAV's wheels bring along as libsvtav1, asks for real-time
# scheduling (SCHED_FIFO, priority 99) where the process runs as root, and it does so for the very thread that opens
# the encoder: after a clip of one frame, with the encoder closed, that Python thread goes before everything else on its core until it
# ends, and whatever it starts from then on inherits it. As another user nothing changes. PyAV's other encoders leave it alone.
# Matting cares because matting runs in containers, hence often as root: a network's thread and its capture, started beside or after
# such an encoder, take turns no more; a process that is busy from then on stalls cameras and whole test runs.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "not tried: this is not root"; exit 0; }
[ "$(uname)" = Linux ] || { echo "not tried: this is not Linux"; exit 0; }
chrt -f 1 true 2>/dev/null || { echo "not tried: root may not schedule in real time here"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check av==18.1.0 numpy==2.4.6
cat >"$folder/encode.py" <<'PYTHON'
import io
import os
import subprocess
import sys

import av
import numpy as np

NAMES = {os.SCHED_OTHER: "ordinary", os.SCHED_FIFO: "real time, first in, first out"}
print("av", av.__version__)
frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24").reformat(format="yuv420p")
found = {}
for name in ("libx264", "libvpx-vp9", "libsvtav1"):
    with av.open(io.BytesIO(), "w", format="matroska") as out:
        stream = out.add_stream(name, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    found[name] = os.sched_getscheduler(0)
    print(f"after {name}: {NAMES[found[name]]}, priority {os.sched_getparam(0).sched_priority}")
child = subprocess.run([sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"], capture_output=True, text=True)
print("a process started now:", NAMES[int(child.stdout)])
assert list(found.values()) == [os.SCHED_OTHER, os.SCHED_OTHER, os.SCHED_FIFO], "SVT-AV1 asks for it no more"
assert os.sched_getparam(0).sched_priority == 99 and int(child.stdout) == os.SCHED_FIFO
PYTHON
"$folder/venv/bin/python" "$folder/encode.py" 2>"$folder/said" || { cat "$folder/said"; exit 1; }
echo "as described"
