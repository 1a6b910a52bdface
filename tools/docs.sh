#!/usr/bin/env bash
# Build the documentation's site into site/; broken links, missing pages and missing names fail.
set -euo pipefail
cd "$(dirname "$0")/.."
python tools/docs_pages.py
zensical build --clean --strict
