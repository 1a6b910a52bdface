"""A bucket of an S3 server on loopback, read and written over the network, as a folder is."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.long import LONG
from support.media import make_clip
from support.waiting import until

pytest.importorskip("s3fs")
pytest.importorskip("moto")
pytest.importorskip("flask")
from koutu.batch.ledger import LOG, has_record, open_ledger
from koutu.batch.options import ItemOptions
from koutu.batch.places import found, removed, sizes, write
from koutu.batch.plan import BatchPlan
from koutu.batch.pool import Alone
from koutu.batch.run import Outcome, run
from koutu.batch.sources import STATE, items_of
from koutu.types import InputError, KoutuError, OutputError

FAST = ItemOptions(model="koutu-small", preset="ultrafast", background="white")
PLAN = BatchPlan(review=False, segment=0.2)
WORDS = ["--model", "koutu-small", "--preset", "ultrafast", "-b", "white", "--segment", "0.2", "--no-review"]


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """A picture, a clip that is cut into segments, another picture."""
    place = tmp_path_factory.mktemp("sources")
    Image.new("RGB", (40, 30), "red").save(place / "a.jpg")
    make_clip(place / "b.mp4", frames=20, audio="aac", options={"qp": "0", "g": "5"})
    Image.new("RGB", (40, 30), "blue").save(place / "c.jpg")
    return place


@pytest.fixture(scope="module")
def bucket(sources) -> Iterator[str]:
    """The address of one that has the sources in a folder, and no other bucket."""
    from moto.server import ThreadedMotoServer  # pyright: ignore[reportMissingImports]

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        _filesystem().mkdir("bucket")
        for path in sources.iterdir():
            write(f"s3://bucket/in/{path.name}", path.read_bytes())
        yield "s3://bucket"
    server.stop()


def _filesystem() -> Any:
    import fsspec

    return fsspec.filesystem("s3")


def hashes(outcome: Outcome) -> dict[str, str]:
    return {name: digest for entry in outcome.entries for name, (_, digest) in entry.made.files.items()}


def batch(source: str, target: str) -> Outcome:
    return run(items_of([source], target, FAST), target, Alone(), PLAN)


@LONG
def test_what_a_killed_batch_left_is_finished(sources, bucket, tmp_path):
    """SIGKILL for the command after its first result; its worker ends of itself."""
    undisturbed = hashes(batch(str(sources), str(tmp_path / "out")))
    target = f"{bucket}/out"
    command = [sys.executable, "-m", "koutu", "batch", f"{bucket}/in", "-o", target, *WORDS]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: "a.png" in sizes(target))
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert has_record(target)
    again = batch(f"{bucket}/in", target)
    assert hashes(again) == undisturbed and set(undisturbed) == {"a.png", "b.mp4", "c.png"}
    assert again.made <= 3 and all(entry.state == "done" for entry in again.entries)
    there = sizes(target)
    assert {name for name in there if not name.startswith(f"{STATE}/{LOG}/")} == set(undisturbed)
    assert all(there[name] == (tmp_path / "out" / name).stat().st_size for name in undisturbed)
    assert batch(f"{bucket}/in", target).made == 0
    _filesystem().rm(f"{target}/c.png")
    assert batch(f"{bucket}/in", target).made == 1
    known = [entry.source for entry in open_ledger(target).entries().values()]
    assert known == [f"{bucket}/in/{name}" for name in ("a.jpg", "b.mp4", "c.jpg")]


def test_folders_that_are_objects(bucket):
    """As consoles make them."""
    for name in ("marked/", "marked/deep/", "marked/deep/x.png"):
        _filesystem().pipe_file(f"bucket/{name}", b"" if name.endswith("/") else b"x")
    assert [file.name for file in found(f"{bucket}/marked/")] == ["deep/x.png"]
    removed(f"{bucket}/marked")
    assert not any(name.startswith("marked") for name in sizes(bucket))


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("s3://bucket/gone.mp4", "s3://bucket/out", "gone.mp4: expected an address that can be used"),
        ("s3://bucket/in", "s3://bucket/in/out", "expected a target outside the sources"),
        ("s3://elsewhere/in", "s3://bucket/out", "s3://elsewhere/in: expected an address that can be used"),
        ("s3://bucket/in", "s3://elsewhere/out", "s3://elsewhere/out.*The specified bucket does not exist"),
    ],
)
def test_what_cannot_be_is_refused(bucket, source, target, said):
    with pytest.raises(KoutuError, match=said):
        batch(source, target)
    assert _filesystem().ls("") == ["bucket"]  # none is made in passing


@pytest.mark.parametrize("lacking", ["AWS_ACCESS_KEY_ID", "network"])
def test_no_credentials_and_no_network(bucket, monkeypatch, lacking):
    if lacking == "network":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    else:
        monkeypatch.delenv(lacking)
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("HOME", "/nonexistent")
    _filesystem().clear_instance_cache()
    try:
        with pytest.raises(
            (InputError, OutputError), match=r"s3://bucket/in: expected .* (credentials|connect to the endpoint)"
        ):
            batch(f"{bucket}/in", f"{bucket}/other")
    finally:
        _filesystem().clear_instance_cache()
