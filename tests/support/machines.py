"""A cluster of Ray whose machines are all this one, on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("ray")


def machine(number: int, **more: Any) -> dict[str, Any]:
    """A small one; 127.0.0.1 itself Ray takes for the machine's name in its network."""
    sizes = {"num_cpus": 1, "memory": 2**31, "object_store_memory": 80 * 2**20}
    return {"node_ip_address": f"127.0.0.{number}", **sizes, **more}


@contextmanager
def machines(count: int, **head: Any) -> Iterator[Any]:
    """So many; head: what is special about the first."""
    from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

    found = Cluster(initialize_head=True, head_node_args=machine(2, include_dashboard=False, **head))
    try:
        for number in range(1, count):
            found.add_node(**machine(2 + number))
        yield found
    finally:
        found.shutdown()
