#!/usr/bin/env bash
# oneDNN's variable ONEDNN_MAX_CPU_ISA holds a program to older instructions, and OpenVINO's CPU plugin contains oneDNN.
# It obeys by half: which precision it computes in, it decides by the processor itself. On one with bfloat16 (AVX-512 BF16
# or AMX) that is held to AVX2, its default, bfloat16, is a precision that the kernels left do not have, and a single
# convolution is refused ("object is not initialized"); asked for float32, the same network runs and gives what it gives
# without the variable. Held to SSE4.1 it refuses a bilinear resize in float32 too ("bad combination").
# Matting cares because the variable is how one finds, on a new processor, which mattes and which tests hang on
# instructions that an older one lacks; without the hint the answer is that nothing runs there, which is wrong.
set -euo pipefail
grep -qE 'avx512_bf16|amx_bf16' /proc/cpuinfo || { echo "not tried: this processor has no bfloat16"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check openvino==2026.4.1 numpy==2.4.6
cat >"$folder/try.py" <<'PYTHON'
import numpy as np
import openvino as ov
from openvino import opset13 as ops

picture = np.ones((1, 3, 32, 32), np.float32)
kernels = ops.constant(np.ones((8, 3, 3, 3), np.float32))
graphs = {
    "convolution": lambda x: ops.convolution(x, kernels, [1, 1], [1, 1], [1, 1], [1, 1]),
    "resize": lambda x: ops.interpolate(
        x, np.array([64, 64], np.int64), "linear_onnx", "sizes", axes=np.array([2, 3], np.int64)
    ),
}
for precision in ("", "f32"):
    for name, graph in graphs.items():
        x = ops.parameter(picture.shape, np.float32)
        config = {"INFERENCE_PRECISION_HINT": precision} if precision else {}
        try:
            answer = ov.Core().compile_model(ov.Model([graph(x)], [x]), "CPU", config)([picture])[0]
            print(f"{name} {precision or 'default'}: {answer.mean():.3f}")
        except RuntimeError as error:
            print(f"{name} {precision or 'default'}: {str(error).strip().splitlines()[-1]}")
PYTHON
"$folder/venv/bin/python" -c 'import openvino; print("openvino", openvino.__version__)'
for most in DEFAULT AVX2 SSE41; do
    echo "ONEDNN_MAX_CPU_ISA=$most"
    ONEDNN_MAX_CPU_ISA=$most "$folder/venv/bin/python" "$folder/try.py" | tee "$folder/$most"
done
diff "$folder/DEFAULT" - <<'EXPECTED'
convolution default: 25.887
resize default: 1.000
convolution f32: 25.887
resize f32: 1.000
EXPECTED
diff "$folder/AVX2" - <<'EXPECTED'
convolution default: object is not initialized
resize default: 1.000
convolution f32: 25.887
resize f32: 1.000
EXPECTED
grep -qx 'resize f32: bad combination' "$folder/SSE41"
echo "as described"
