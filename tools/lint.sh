#!/usr/bin/env bash
# All checks but the tests: style, form, types, the drawing. CI and pre-commit both run this.
set -euo pipefail
cd "$(dirname "$0")/.."
ruff check .
ruff format --check .
python tools/draw_ladder.py --check
pyright
