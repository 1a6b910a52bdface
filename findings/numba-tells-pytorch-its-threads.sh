#!/usr/bin/env bash
# Importing pymatting changes how many threads PyTorch computes with, whatever OMP_NUM_THREADS or torch.set_num_threads
# said: pymatting compiles functions for several threads while it is imported, Numba starts its threads for them, and
# Numba's and PyTorch's OpenMP are one library in the process, whose number of threads Numba sets to NUMBA_NUM_THREADS,
# by default all cores.
# Matting cares because both are used in one process (solved mattes to learn from, closed-form matting beside a network):
# two such processes on two cores, each told to use one thread, wait for each other inside every small operation. koutu's
# own tests took four times as long, with no sign of it but busy cores.
set -euo pipefail
[ "$(nproc)" -gt 1 ] || { echo "not tried: one core"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/pip" install -q --disable-pip-version-check pymatting==1.1.16 numba==0.68.1
cat >"$folder/try.py" <<'PYTHON'
import torch

torch.set_num_threads(1)
import numba

print("after numba:", torch.get_num_threads())
import pymatting

print("after pymatting:", torch.get_num_threads(), "by the layer", numba.threading_layer())
PYTHON
export OMP_NUM_THREADS=1
NUMBA_NUM_THREADS=2 "$folder/venv/bin/python" "$folder/try.py" | tee "$folder/two"
NUMBA_NUM_THREADS=1 "$folder/venv/bin/python" "$folder/try.py" | tee "$folder/one"
diff "$folder/two" - <<'EXPECTED'
after numba: 1
after pymatting: 2 by the layer omp
EXPECTED
diff "$folder/one" - <<'EXPECTED'
after numba: 1
after pymatting: 1 by the layer omp
EXPECTED
echo "as described"
