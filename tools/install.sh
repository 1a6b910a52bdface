#!/usr/bin/env bash
# Install koutu with everything its tests, checks and documentation use into the current environment.
set -euo pipefail
cd "$(dirname "$0")/.."
python -c 'import torch' 2>/dev/null || python -m pip install -q --disable-pip-version-check torch==2.13.0
# Caffe files are tried in OpenCV 4, in a folder of its own: OpenCV 5 reads them no more.
opencv4="${KOUTU_OPENCV4:-$(python -c 'import sys; print(sys.prefix)')/opencv4}"
[ -d "$opencv4/cv2" ] || python -m pip install -q --disable-pip-version-check --no-deps --target "$opencv4" \
    'opencv-python-headless==4.14.0.94' &
python -m pip install -q --disable-pip-version-check -e '.[train,export,openvino,data,eval,tflite,coreml,ncnn,exr,webrtc,batch,parquet,dev,docs]'
wait $!
