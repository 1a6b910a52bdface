#!/usr/bin/env bash
# Which branches of the rooms that a frame walks through the tests take: runs these rooms' tests, then prints a table.
# Arguments go to pytest in the place of those tests. What is not taken: python -m coverage report -m --include=…/FILE.
# It needs coverage (pip install coverage) and twice the tests' time, so that CI does it only where it is asked to.
set -euo pipefail
cd "$(dirname "$0")/.."
export COVERAGE_FILE="${COVERAGE_FILE:-$PWD/out/coverage/data}"
rm -f "$COVERAGE_FILE"*
[ $# -gt 0 ] || set -- tests/media tests/matting tests/pipeline tests/server tests/live tests/cli tests/batch/test_segments.py \
    tests/data/mattes/test_known_plate.py
failed=0
python -m coverage run -m pytest -q -p no:cacheprovider "$@" || failed=$?
python -m coverage combine -q
for room in media matting pipeline server; do
    printf '%-10s' "$room"
    python -m coverage report --include="*/koutu/$room/*" --format=total --precision=1
done
exit "$failed"
