"""Videos as jobs: sent, watched, fetched, cancelled, forgotten, and kept over a restart."""

import io
import json
import os
import stat
import time
from pathlib import Path

import av
import httpx2 as httpx
import numpy as np
import pytest
from support.media import make_clip
from support.serving import client, encoded, file_of, running, service_of
from support.waiting import until

from koutu.color import to_rgb
from koutu.media.reader import open_video
from koutu.server.settings import Limits, ServerSettings
from koutu.types import InputError, OutputError
from koutu.zoo import SAMPLE


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", frames=4, audio="aac").read_bytes()


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("clip") / "b.mp4", frames=900, size=(144, 256)).read_bytes()


@pytest.fixture
def web():
    with client() as found:
        yield found


def ended(web, number: str) -> dict:
    """The status when it has ended, by its events."""
    said = [json.loads(line[6:]) for line in web.get(f"/api/video/{number}/events").text.splitlines() if "data" in line]
    assert said and said[-1]["state"] in ("done", "failed", "cancelled")
    return said[-1]


def frames_of(data: bytes, tmp_path: Path, suffix: str) -> list[np.ndarray]:
    path = tmp_path / f"result{suffix}"
    path.write_bytes(data)
    with open_video(path) as video:
        return [to_rgb(frame.picture) for frame in video]


def test_from_sending_to_fetching(web, clip, tmp_path):
    answer = web.post("/api/video", files={"file": ("../../x.mp4", clip)}, data={"background": "#204060"})
    assert answer.status_code == 202
    begun = answer.json()
    assert begun["state"] in ("waiting", "running") and len(begun["id"]) == 32 and begun["result"] is None
    told = ended(web, begun["id"])
    assert told["state"] == "done" and told["frames"] == told["total"] == 4 and told["progress"] == 1, told
    assert told == web.get(f"/api/video/{begun['id']}").json() and told["expires"] > time.time() + 3000
    result = web.get(told["result"])
    assert result.headers["content-type"] == "video/mp4" and len(result.content) == told["bytes"]
    assert "attachment" in result.headers["content-disposition"]
    assert len(frames_of(result.content, tmp_path, ".mp4")) == 4
    part = web.get(told["result"], headers={"Range": "bytes=0-99"})
    assert part.status_code == 206 and part.content == result.content[:100]
    assert web.delete(f"/api/video/{begun['id']}").json()["state"] == "done"
    assert web.get(f"/api/video/{begun['id']}").status_code == 404 == web.get(told["result"]).status_code


def test_corrections_by_hand(web, tmp_path):
    """What a touch erases stays away from its second on; with alpha and no format, WebM comes."""
    talk = (SAMPLE / "talk.mp4").read_bytes()
    mask = np.full((90, 160), 128, np.uint8)
    mask[60:] = 0
    touch = ("touch", ("0.2.png", file_of(mask, "PNG")))
    told = ended(web, web.post("/api/video", files=[("file", talk), touch], data={"only_mask": "true"}).json()["id"])
    assert told["state"] == "done", told
    frames = frames_of(web.get(told["result"]).content, tmp_path, ".mp4")
    assert frames[1][260:].mean() > 60 and all(frame[270:].mean() < 20 for frame in frames[7:14])
    wrong = [("file", talk), ("touch", ("../a.png", file_of(mask, "PNG")))]
    assert "named by its second" in web.post("/api/video", files=wrong).text
    begun = web.post("/api/video", files={"file": talk}, data={"alpha": "true"}).json()
    assert web.delete(f"/api/video/{begun['id']}").status_code == 200
    assert begun["error"] is None


def test_every_kind_of_result(web, clip, tmp_path):
    red = file_of(np.full((48, 64, 3), (200, 30, 30), np.uint8))
    wishes = [
        ({"format": "webm", "alpha": "true"}, {}, "alpha_mode"),
        ({"format": "webm", "background": "transparent"}, {}, "alpha_mode"),
        ({"format": "gif", "background": "#c81e1e", "model": "koutu-small"}, {}, "red"),
        ({"format": "mov", "background": "dusk", "audio": "false"}, {}, ""),
        ({"only_mask": "true"}, {}, "grey"),
        ({}, {"bg_image_file": ("b", red)}, "red"),
        ({}, {"bg_image_file": ("b", clip)}, ""),
    ]
    numbers = []
    for fields, files, _ in wishes:
        answer = web.post("/api/video", files={"file": clip, **files}, data=fields)
        assert answer.status_code == 202, answer.text
        numbers.append(answer.json()["id"])
    for number, (fields, _, sign) in zip(numbers, wishes, strict=True):
        told = ended(web, number)
        assert told["state"] == "done", told
        data = web.get(told["result"]).content
        if sign == "alpha_mode":
            with av.open(io.BytesIO(data)) as container:
                assert container.streams.video[0].metadata["alpha_mode"] == "1"
            continue
        frames = frames_of(data, tmp_path, f".{fields.get('format', 'mp4')}")
        assert len(frames) == (2 if fields.get("format") == "gif" else 4)
        if sign == "grey":
            assert np.ptp(frames[0].astype(int), axis=2).max() <= 2
        if sign == "red":  # the clip shows nobody
            assert np.abs(np.median(frames[0], (0, 1)) - (200, 30, 30)).max() < 12


def test_what_is_no_video_is_said(web, clip):
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    concat = b"ffconcat version 1.0\nfile /etc/passwd\n"
    numbers = [
        web.post("/api/video", content=data).json()["id"]
        for data in (b"nonsense", clip[:300], encoded(), playlist, concat, b"\x1a\x45\xdf\xa3<MPD dash:profile:x")
    ]
    numbers.append(web.post("/api/video", files={"file": clip, "bg_image_file": playlist}).json()["id"])
    for number in numbers:
        told = ended(web, number)
        assert told["state"] == "failed" and "expected" in told["error"], told
        assert "/tmp" not in told["error"] and number not in told["error"]
        refused = web.get(f"/api/video/{number}/result")
        assert refused.status_code == 409 and refused.json()["errors"][0]["code"] == "not_done"
    for files, fields in [
        ({}, {}), ({"video": clip}, {}), ({"file": clip}, {"format": "exe"}),
        ({"file": clip}, {"format": "mp4", "alpha": "true"}),
        ({"file": clip}, {"background": "/etc/passwd"}), ({"file": clip}, {"model": "x"}),
        ({"file": clip}, {"format": "webm", "alpha": "true", "only_mask": "true"}),
    ]:  # fmt: skip
        assert web.post("/api/video", files=files, data=fields).status_code == 400
    assert service_of(web).videos.taken == 0
    for method in ("get", "delete"):
        assert getattr(web, method)("/api/video/../../etc").status_code == 404
        assert getattr(web, method)("/api/video/nothing").status_code == 404


def test_limits(clip, long_clip):
    limits = Limits(video_seconds=5, jobs=1, video_mb=8)
    with client(limits=limits) as web:
        first = web.post("/api/video", content=long_clip).json()["id"]
        full = web.post("/api/video", content=clip)
        assert full.status_code == 429 and full.headers["retry-after"]
        told = ended(web, first)
        assert told["state"] == "failed" and "at most 5 s" in told["error"]
        assert web.post("/api/video", content=b"x" * 9_100_000).status_code == 413
        second = web.post("/api/video", content=clip).json()["id"]
        assert ended(web, second)["state"] == "done"


def folders(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir()]


def test_cancelling(long_clip, tmp_path):
    with client(jobs_folder=tmp_path / "jobs") as web:
        running_, waiting = (web.post("/api/video", content=long_clip).json()["id"] for _ in range(2))
        assert web.get(f"/api/video/{waiting}").json()["before"] == 1
        until(lambda: web.get(f"/api/video/{running_}").json()["frames"] > 0)
        for number in (waiting, running_):
            assert web.delete(f"/api/video/{number}").json()["state"] == "cancelled"
            assert ended(web, number)["state"] == "cancelled"
        left = [path.name for folder in folders(tmp_path / "jobs") for path in folder.iterdir()]
        assert set(left) == {"job.json"}
        assert service_of(web).videos.taken == 0


def test_folders_are_private_and_go(clip, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with client() as web:
        number = web.post("/api/video", content=clip).json()["id"]
        (root,) = folders(tmp_path)
        assert stat.S_IMODE(root.stat().st_mode) == stat.S_IMODE(folders(root)[0].stat().st_mode) == 0o700
        assert ended(web, number)["state"] == "done"
        assert sorted(path.name for path in folders(root)[0].iterdir()) == ["job.json", "result.mp4"]  # no source
    assert not list(tmp_path.iterdir())


def test_what_a_killed_server_left_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, young, other = (tmp_path / name for name in ("koutu-videos-left", "koutu-videos-young", "koutu-other"))
    for folder in (left, young, other):
        folder.mkdir()
        (folder / ".lock").touch()
        (folder / "video.mp4").write_bytes(b"private")
        if folder != young:
            os.utime(folder, (1, 1))
    with pytest.raises(InputError, match="does not begin"), client(jobs_folder=left):
        pass
    with client():
        assert not left.exists() and young.exists() and other.exists()
        (used,) = {path.parent for path in tmp_path.glob("*/.lock")} - {young, other}
        os.utime(used, (1, 1))
        with client():
            assert used.exists()  # locked: another server works there


def test_finished_work_outlives_a_restart(clip, long_clip, tmp_path):
    kept = tmp_path / "jobs"
    with client(jobs_folder=kept) as web:
        number = web.post("/api/video", content=clip).json()["id"]
        before = ended(web, number)
        data = web.get(before["result"]).content
        lost = web.post("/api/video", content=long_clip).json()["id"]
        with pytest.raises(InputError, match="another"), client(jobs_folder=kept):
            pass
    (kept / "mine").mkdir()  # not ours to touch
    broken = kept / ("x" * 32)
    broken.mkdir()
    (broken / "job.json").write_text("{")
    assert {path.name for path in folders(kept)} == {number, "mine", "x" * 32}
    with client(jobs_folder=kept) as web:
        assert web.get(f"/api/video/{number}").json() == before
        assert web.get(before["result"]).content == data
        assert web.get(f"/api/video/{lost}").status_code == 404
        assert not broken.exists() and (kept / "mine").exists()


def test_results_expire(clip, monkeypatch):
    monkeypatch.setattr("koutu.server.jobs.SWEEP_SECONDS", 0.05)
    with client() as web:
        number = web.post("/api/video", content=clip).json()["id"]
        assert ended(web, number)["state"] == "done"
        real = time.time
        monkeypatch.setattr("koutu.server.jobs.time.time", lambda: real() + 3600)
        until(lambda: web.get(f"/api/video/{number}").status_code == 404)


def test_a_server_that_stops_ends_its_work(long_clip, tmp_path):
    """Work, its process and whoever listens are ended; the port is let go at once."""
    with running(jobs_folder=tmp_path / "jobs") as server:
        number = httpx.post(f"{server.url}/api/video", content=long_clip, timeout=60).json()["id"]
        url = f"{server.url}/api/video/{number}"
        until(lambda: httpx.get(url, timeout=60).json()["frames"] > 0)
        began = time.monotonic()
    assert time.monotonic() - began < 60
    assert not folders(tmp_path / "jobs")


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/1").exists(), reason="needs a place nobody may write to")
def test_a_folder_that_cannot_be_made():
    with pytest.raises(OutputError, match="folder"), client(jobs_folder=Path("/proc/koutu")):
        pass
    assert ServerSettings().jobs_folder is None
