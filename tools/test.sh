#!/usr/bin/env bash
# Install koutu with everything its tests use into the current environment, then run the tests.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/install.sh
export KOUTU_OPENCV4="${KOUTU_OPENCV4:-$(python -c 'import sys; print(sys.prefix)')/opencv4}"
python -m pytest -q "$@"
