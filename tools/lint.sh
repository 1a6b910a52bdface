#!/usr/bin/env bash
# All checks but the tests: style, form, the drawing, types. CI and pre-commit both run this; --quick leaves out the types.
set -euo pipefail
cd "$(dirname "$0")/.."
ruff check .
ruff format --check .
python tools/draw_ladder.py --check
[ "${1:-}" = --quick ] || pyright
