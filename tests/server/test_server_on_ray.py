"""The server's videos are worked on by a cluster, whose clients' door it comes by."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machines import machines
from support.media import make_clip
from support.ports import free_port
from support.serving import client
from support.waiting import until

from koutu.server.settings import ServerSettings
from koutu.server.workers import workers
from koutu.types import InputError

# files that Ray leaves to the collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    port = free_port()
    with machines(1, ray_client_server_port=port, runtime_env_agent_port=free_port()):  # of whom the door asks
        yield f"ray://127.0.0.2:{port}"


def far_work() -> list[int]:
    """The numbers of processes that work on videos."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if "koutu.server.work" in (place / "cmdline").read_text():
                found += [int(place.name)] if "ray::" in Path(f"/proc/{parent}/cmdline").read_text() else []
        except OSError:  # ended meanwhile
            continue
    return found


def test_videos_are_worked_on_there(address, tmp_path):
    """The result is as without; work ends with its order, and is begun anew where its process of Ray's died."""
    clip = make_clip(tmp_path / "a.mp4", frames=4, audio="aac").read_bytes()
    long = make_clip(tmp_path / "b.mp4", frames=900, size=(144, 256)).read_bytes()

    def made(web) -> bytes:
        number = web.post("/api/video", content=clip, params={"background": "#204060"}).json()["id"]
        assert '"done"' in web.get(f"/api/video/{number}/events").text
        return web.get(f"/api/video/{number}/result").content

    with client() as web:
        here = made(web)
    with client(cluster=address, jobs_folder=tmp_path / "jobs") as web:
        assert made(web) == here
        url = f"/api/video/{web.post('/api/video', content=long).json()['id']}"
        until(lambda: web.get(url).json()["frames"] > 0)
        (first,) = far_work()
        os.kill(int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1]), signal.SIGKILL)
        until(lambda: far_work() and far_work() != [first])
        assert web.get(url).json()["state"] == "running"
        assert web.delete(url).json()["state"] == "cancelled"
        until(lambda: not far_work())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cluster": "ray://127.0.0.2:9"}, "expected --jobs-folder beside the address"),
        ({"cluster": "ray://127.0.0.2:9", "jobs_folder": "jobs"}, "ray://127.0.0.2:9: expected a cluster of Ray that"),
    ],
)
def test_a_cluster_that_cannot_be_used(settings, said, tmp_path):
    if "jobs_folder" in settings:
        settings = {**settings, "jobs_folder": tmp_path / settings["jobs_folder"]}
    with pytest.raises(InputError, match=said), workers(ServerSettings(**settings)):
        pass
