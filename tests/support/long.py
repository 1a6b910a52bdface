"""Tests that take long and tell little that others do not: run where KOUTU_LONG is set, and before a release."""

import os

import pytest

LONG = pytest.mark.skipif(not os.environ.get("KOUTU_LONG"), reason="long: KOUTU_LONG=1 runs it")
