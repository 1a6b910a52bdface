#!/usr/bin/env bash
# Install koutu with everything its tests use into the current environment, then run the tests, two files at a time.
# Arguments go to pytest: tools/test.sh tests/nn -k guided, or -n 0 for one after the other (docs/testing.md).
# KOUTU_INSTALLED=1: everything is installed already.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "${KOUTU_INSTALLED:-}" ] || tools/install.sh
export KOUTU_OPENCV4="${KOUTU_OPENCV4:-$(python -c 'import sys; print(sys.prefix)')/opencv4}"
if [ -z "$(PYTHONPATH=tests python -c 'from support.browser import CHROMIUM; print(CHROMIUM)')" ]; then
    echo "tools/test.sh: no Chromium here, so the tests of the page are skipped; apt-get install chromium runs them" >&2
fi
python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder "$@"
