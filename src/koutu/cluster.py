"""A cluster of Ray that work is handed to: joined, and found to be alike, before anything is done there."""

import importlib
import os
import secrets
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from koutu.extras import pip_line
from koutu.machine import versions
from koutu.types import InputError, ModelError

T = TypeVar("T")

AUTO = "auto"  # the address in RAY_ADDRESS, or else the cluster of this machine
CLIENT_PORT = 10001
_CLIENT = "ray://"
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_PATIENCE_SECONDS = 10  # for a connection
_LOOK_SECONDS = 300  # for a first process on each machine


@dataclass(frozen=True)
class Node:
    """A machine of the cluster, with what Ray may give out there. memory_mb: 0 where Ray counts none."""

    id: str
    name: str
    cpus: float
    gpus: float
    memory_mb: float


@contextmanager
def joined(address: str) -> Iterator[Any]:
    """The module ray, connected to the cluster until the end; raises ModelError or InputError.

    address: auto, HOST:PORT of its head, or ray://HOST[:PORT] of Ray's server for clients.
    """
    ray = _ray()
    _require_listener(ray, address)
    if ray.is_initialized():
        yield ray
        return
    try:
        try:
            with _environment("RAY_gcs_server_port_wait_time_s", "2"):  # tries, of 40 s each, where another answers
                ray.init(address=_whole(address), log_to_driver=False, logging_level="error")
            require_alike(ray)
        except InputError:
            raise
        except Exception as error:  # of many types: RuntimeError for another version, ConnectionError, RayError
            raise InputError(
                f"{address}: expected a cluster of Ray {ray.__version__} that is running, got {_line(error)}; "
                "check the address, and that all machines have the same Ray and Python (ray start --head begins one)"
            ) from error
        yield ray
    finally:
        ray.shutdown()


def nodes(ray: Any) -> list[Node]:
    """Those that are alive and compute; raises InputError where the cluster is lost."""
    try:
        found = [(node, node["Resources"]) for node in ray.nodes() if node["Alive"]]
    except Exception as error:
        raise InputError(
            f"expected a cluster that stays, got {_line(error)}; run the same again when it is back"
        ) from error
    return [
        Node(node["NodeID"], node["NodeManagerHostname"], has["CPU"], has.get("GPU", 0), has.get("memory", 0) / 2**20)
        for node, has in found if has.get("CPU")
    ]  # fmt: skip


def on_each(ray: Any, function: Callable[[], T]) -> list[tuple[Node, T]]:
    """What a function says on each machine that computes."""
    from ray.util.scheduling_strategies import (  # pyright: ignore[reportMissingImports]
        NodeAffinitySchedulingStrategy,
    )

    asked, machines = ray.remote(num_cpus=0)(function), nodes(ray)
    asks = [asked.options(scheduling_strategy=NodeAffinitySchedulingStrategy(n.id, soft=False)) for n in machines]
    return list(zip(machines, ray.get([ask.remote() for ask in asks], timeout=_LOOK_SECONDS), strict=True))


def require_alike(ray: Any) -> None:
    """Raise InputError, which names the machine, unless each has this machine's koutu and what computes with it."""
    if not nodes(ray):
        raise InputError("expected a cluster with machines that compute, got one without CPUs; add one by ray start")

    def look() -> dict[str, str]:  # travels as it stands, to machines that may have no koutu
        try:
            from koutu.machine import versions
        except ImportError:
            return {}
        return versions()

    for machine, found in on_each(ray, look):
        if told := difference(versions(), found):
            raise InputError(f"{machine.name}: expected a machine of the same versions, {told}")


def require_shared(ray: Any, folder: Path | None, files: Iterable[str] = ()) -> None:
    """Raise InputError, which names a machine, unless all read and write in the folder as this one, and have files."""
    token, names = secrets.token_hex(16), [os.path.abspath(file) for file in files]
    mark = folder.resolve() / f".shared-{token}" if folder else None
    if mark:
        mark.write_text(token)

    def look() -> str:  # travels as it stands
        if mark:
            try:
                own = mark.with_name(f"{mark.name}-{secrets.token_hex(4)}")
                own.touch()
                own.unlink()
                shared = mark.read_text() == token
            except OSError:
                shared = False
            if not shared:
                return str(mark.parent)
        return next((name for name in names if not os.path.exists(name)), "")

    try:
        for machine, lacking in on_each(ray, look):
            if lacking:
                raise InputError(
                    f"{lacking}: expected what all machines of the cluster have, got what {machine.name} has not, or "
                    "may not write to; name a place that they share, or an address such as s3://bucket/cut"
                )
    finally:
        if mark:
            mark.unlink()


def difference(here: dict[str, str], there: dict[str, str]) -> str:
    """What is otherwise on another machine, as the end of a sentence; nothing if all is the same."""
    if not there:
        return "got one without koutu; install it there as here"
    names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    told = [f"{name} {there.get(name, 'none')} where this has {here.get(name, 'none')}" for name in names]
    return f"got {', '.join(told)}; install the same everywhere, or results would differ" if told else ""


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # which it would send away
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ModelError(f"a cluster needs ray, which is not installed; {pip_line('ray')}") from error


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set unless it is set."""
    given = name in os.environ
    os.environ.setdefault(name, value)
    try:
        yield
    finally:
        if not given:
            del os.environ[name]


def _whole(address: str) -> str:
    """With the port of clients, where none is given."""
    host = address.removeprefix(_CLIENT)
    return f"{address}:{CLIENT_PORT}" if address.startswith(_CLIENT) and ":" not in host else address


def _require_listener(ray: Any, address: str) -> None:
    """Raise InputError, at once, unless something answers there: Ray itself tries for minutes."""
    if address == AUTO:
        return
    host, _, port = _whole(address).removeprefix(_CLIENT).rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"expected auto, HOST:PORT or {_CLIENT}HOST of a cluster, got {address!r}; write it so")
    if host in _LOOPBACK and not address.startswith(_CLIENT):
        host = ray.util.get_node_ip_address()  # as Ray does
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"{address}: expected a cluster of Ray that answers at {host}, got {_line(error)}; check the address and "
            "the network"
        ) from error


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)[:300]}"
