#!/usr/bin/env bash
# Build the documentation's site into site/; broken links, missing pages and names without a docstring fail.
set -euo pipefail
cd "$(dirname "$0")/.."
python tools/docs_pages.py
zensical build --clean --strict
