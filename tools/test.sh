#!/usr/bin/env bash
# Install koutu with everything its tests use into the current environment, then run the tests.
set -euo pipefail
cd "$(dirname "$0")/.."
python -c 'import torch' 2>/dev/null || python -m pip install -q --disable-pip-version-check torch==2.13.0
python -m pip install -q --disable-pip-version-check -e '.[train,export,openvino,data,eval,tflite,webrtc,dev]'
python -m pytest -q "$@"
