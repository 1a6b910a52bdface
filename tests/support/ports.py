"""Ports that nobody else on this machine comes by: not those the system gives out, and others for each test process."""

import contextlib
import os
import random
import socket

FIRST, EACH = 20_000, 500  # systems give out ports from 32768 up


def free_port() -> int:
    """A port nobody listens on now."""
    first = FIRST + EACH * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    for port in random.Random(os.urandom(8)).sample(range(first, first + EACH), EACH):
        with contextlib.suppress(OSError), contextlib.closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that is only being forgotten is free
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"expected a free port of {first} to {first + EACH - 1}, got none")
