"""The load test, small: pictures at one time, then viewers of both kinds, against a server in its own process."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("aiortc")
sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))

import server_load
from aioice.ice import get_host_addresses


def test_the_load_test_small():
    ways = ["webrtc", "websocket"] if get_host_addresses(True, False) else ["websocket"]
    results = server_load.run(5, 2, 6, ways)
    errors = [error for part in results.values() if isinstance(part, dict) for error in part["errors"]]
    # How many frames come in so few seconds is the machine's business.
    assert not [error for error in errors if "got no frame" not in error]
    assert results["pictures"]["count"] == 5 and results["exit"] == 0 and not results["log"]
    assert results["after_mb"] < 1500
