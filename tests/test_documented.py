"""What README and docs tell to type works when it is typed: run in an empty folder with small data, or read at least.

`python tests/support/documented.py` lists every line, and why some are not run.
"""

import contextlib
import glob
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import typer.main
from PIL import Image
from support.documented import ROOT, documented
from support.sets import grow

from koutu import cli
from koutu.api import convert
from koutu.color import to_rgb
from koutu.media.reader import open_video
from koutu.trimap import trimap_from_mask
from koutu.zoo import SAMPLE

LINES = documented()
KOUTU = [line for line in LINES if line.words[0] == "koutu"]
RUN = [line for line in KOUTU if line.mark[0] == "run"]
PAGES = sorted({line.page for line in RUN})
CURL = [line for line in LINES if line.words[0] == "curl"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What the pages take for granted: a talk, a portrait, backgrounds, folders of either, masks and a trimap."""
    place = tmp_path_factory.mktemp("typed")
    with open_video(SAMPLE / "talk.mp4") as video:
        frames = [
            Image.fromarray(to_rgb(frame.picture)).resize((160, 90)) for _, frame in zip(range(6), video, strict=False)
        ]
    for name in ("talk.mp4", "street.mp4"):
        write_clip(place / name, frames)
    frames[0].save(place / "portrait.jpg", quality=95)
    for name in ("beach.jpg", "lake.jpg", "empty-room.jpg"):
        Image.open(SAMPLE / "lake.jpg").resize((160, 90)).save(place / name)
    for at, frame in enumerate(frames[:2]):
        for part, picture in (("portraits", frame), ("places", Image.open(place / "beach.jpg"))):
            (place / part).mkdir(exist_ok=True)
            picture.resize((320, 180)).save(place / part / f"{at}.png")
    grow(place, "P3M-10k/train/blurred_image/p.jpg c, P3M-10k/train/mask/p.png a")
    made = {"output": place / "cut.webm", "alpha": place / "alpha.mp4"}
    convert(place / "talk.mp4", **made, background="transparent", model="koutu-small")
    with open_video(place / "alpha.mp4") as video:
        mask = to_rgb(next(iter(video)).picture)
    for name, picture in (("coarse.png", mask), ("first.png", mask), ("trimap.png", trimap_from_mask(mask[..., 0], 3))):
        Image.fromarray(picture).save(place / name)
    for name, same in (("rough.mp4", "alpha.mp4"), ("two.mp4", "talk.mp4"), ("group.jpg", "portrait.jpg")):
        shutil.copy(place / same, place / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        typed(["koutu", "data", "pack", "P3M-10k", "-o", "packs/people"])
    (place / "recipes").symlink_to(ROOT / "recipes")
    return place


def write_clip(path: Path, frames: list[Image.Image]) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", 25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *frames[0].size, "yuv420p"
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_image(frame)))
        out.mux(stream.encode(None))


@pytest.fixture(scope="module")
def typed_in() -> dict[str, Path]:
    """In which folder a line was typed; where another page tells it again, what it made there is taken."""
    return {}


@pytest.mark.parametrize("page", PAGES)
def test_the_lines_of_a_page(page, folder, typed_in, tmp_path, monkeypatch, capfd):
    """In order, in an empty folder but for what the page takes for granted."""
    shutil.copytree(folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for line in [line for line in RUN if line.page == page]:
        words = [found for word in line.words for found in (sorted(glob.glob(word)) if "*" in word else [word])]
        if (there := typed_in.get(line.text, tmp_path)) != tmp_path:
            take(there, tmp_path, after(words, "-o"))
            continue
        code = typed(words)
        out, err = capfd.readouterr()
        assert not code, f"{line}\n{err}{out}"
        for word in [*after(words, "-o"), *after(words, ">")]:
            assert word == "-" or any(tmp_path.glob(f"{word.rstrip('/')}*")), line
        typed_in[line.text] = tmp_path


def take(there: Path, here: Path, names: list[str]) -> None:
    for name in names:
        for made in there.glob(f"{name.rstrip('/')}*"):
            target = here / made.relative_to(there)
            target.parent.mkdir(exist_ok=True)
            shutil.copytree(made, target, dirs_exist_ok=True) if made.is_dir() else shutil.copy(made, target)


@pytest.mark.parametrize("page", ["README.md", "docs/start.md"])
def test_the_python_of_a_page(page, folder, tmp_path, monkeypatch):
    """Its blocks one after the other, as one program."""
    shutil.copytree(folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    shutil.copy(tmp_path / "talk.mp4", tmp_path / "in.mp4")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    exec(compile("\n".join(blocks), page, "exec"), {"__name__": "__main__"})


def typed(words: list[str]) -> object:
    """The exit code of a command line."""
    with redirected(words) as left, pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", left)
        cli.main()
    return ended.value.code


@contextlib.contextmanager
def redirected(words: list[str]) -> Iterator[list[str]]:
    """The words without < and >, which are done as a shell does them; SIGTERM's handler is as before afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    redirections = {at for at, word in enumerate(words) if word in ("<", ">") or (at and words[at - 1] in ("<", ">"))}
    with contextlib.ExitStack() as files, pytest.MonkeyPatch.context() as patch:
        for sign, name, mode in (("<", "stdin", "rb"), (">", "stdout", "wb")):
            for path in after(words, sign):
                file = files.enter_context(open(path, mode))
                patch.setattr(sys, name, files.enter_context(io.TextIOWrapper(file)))
        yield [word for at, word in enumerate(words) if at not in redirections]
    signal.signal(signal.SIGTERM, before)


def test_options_and_arguments_are_read():
    """Of every line of koutu, those that are not run as well."""
    whole: Any = typer.main.get_command(cli.app)
    for line in KOUTU:
        words: list[str] = [word for word in line.words[1:] if word not in ("<", ">")]
        command = whole
        while hasattr(command, "commands"):
            command, words = command.commands[words[0]], words[1:]
        try:
            command.make_context(command.name, words)
        except Exception as error:
            raise AssertionError(f"{line}: {error}") from error


def after(words: list[str], option: str) -> list[str]:
    return [words[at + 1] for at, word in enumerate(words[:-1]) if word == option]


def test_the_other_lines_are_known_by_a_reason():
    """What is neither koutu nor curl has a reason not to be run here; quotes close."""
    others = [line for line in LINES if line not in KOUTU and line not in CURL]
    assert [str(line) for line in others if line.mark[0] == "run"] == []
    assert len(LINES) > 100 and all(line.words for line in LINES)


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl on this machine")
def test_the_lines_of_curl(folder, tmp_path):
    """Against one server, in order; ID is the number that the line before was given."""
    pytest.importorskip("fastapi")
    from support.serving import running

    environment = os.environ | {"no_proxy": "*"}
    with running() as server:
        answer = number = ""
        for line in CURL:
            if "/events" in line.text:
                number = json.loads(answer)["id"]
            text = line.text.replace("http://127.0.0.1:8000", server.url).replace(
                "ID", number if "ID" in line.text else ""
            )
            command = f"cd {tmp_path} && {text.replace('@', f'@{folder}/')} --fail-with-body -sS"
            done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, timeout=120)
            answer = done.stdout
            assert done.returncode == 0, f"{line.page}:{line.number}: {line.text}\n{done.stderr}{answer}"
            for name in after(line.words, "-o"):
                data = (tmp_path / name).read_bytes()
                assert len(data) > 500 and (name.endswith(".zip") or np.asarray(Image.open(io.BytesIO(data))).any())
    assert list(tmp_path.glob("koutu-*.mp4"))
