"""The load test, small: pictures at one time, then viewers of both kinds, against a server in its own process."""

import importlib.util
import sys
from pathlib import Path

import pytest
from support.long import LONG

pytest.importorskip("fastapi")
pytest.importorskip("aiortc")

from aioice.ice import get_host_addresses


@pytest.fixture
def server_load():
    path = Path(__file__).parent.parent.parent / "bench" / "server_load.py"
    spec = importlib.util.spec_from_file_location("server_load", path)
    assert spec and spec.loader
    module = sys.modules["server_load"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["server_load"]


@LONG
def test_the_load_test_small(server_load):
    ways = ["webrtc", "websocket"] if get_host_addresses(True, False) else ["websocket"]
    results = server_load.run(5, 2, 3, ways)
    errors = [error for part in results.values() if isinstance(part, dict) for error in part["errors"]]
    # How many frames come in so few seconds is the machine's business.
    assert not [error for error in errors if "got no frame" not in error]
    assert results["pictures"]["count"] == 5 and results["exit"] == 0 and not results["log"]
    assert results["after_mb"] < 1500
