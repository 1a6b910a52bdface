"""What a user's own type checker sees of the installed wheel: every public name, with its types."""

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from support.long import LONG

import koutu
from koutu.zoo import MODELS

ROOT = Path(__file__).parent.parent
RIGHT = '''# pyright: strict
"""Cut people out, as a user's own program would."""

import sys
from fractions import Fraction

import koutu


def converted(source: str, target: str) -> float:
    """Frames a second."""
    seen = koutu.Reviewer(source)
    encode = koutu.EncodeOptions(crf=20)
    try:
        report = koutu.convert(source, target, background="blur", encode=encode, observe=seen)
    except (koutu.InputError, koutu.OutputError) as error:
        sys.exit(error.exit_code)
    return report.rate


def written(source: str, target: str, backend: koutu.Backend) -> list[tuple[Fraction, int]]:
    """When each frame is shown, and its rows."""
    matter, times = koutu.Matter(backend), list[tuple[Fraction, int]]()
    with koutu.open_video(source) as video, koutu.open_writer(target, video) as writer:
        for frame in video:
            matte: koutu.Matte = matter(frame)
            before = koutu.replace(frame.picture, matte.alpha, frame.picture)
            assert isinstance(before, koutu.Yuv420)
            writer.write(before, frame)
            times.append((matte.frame.seconds, matte.alpha.shape[0]))
    return times


def pictured(source: str, target: str) -> None:
    """A cut-out of one picture, by hand and in one call."""
    rgb, matte = koutu.read_image(source), koutu.matte(source, hints=koutu.Hints(clicks=[koutu.Click(3, 4)]))
    koutu.write_image(target, rgb, matte.alpha)
    koutu.convert_image(source, target, background="transparent", backend=koutu.load("koutu-small", threads=1))
'''
# Every line after the import is wrong, so that a checker that sees no types passes none of them.
WRONG = """import koutu
koutu.convert("talk.mp4", "out.mp4", background=3)
koutu.matte("portrait.jpg").alhpa
koutu.Matter("koutu")
rate: str = koutu.Report().rate
koutu.load(thread=1)
koutu.KoutuError.exit_code = "three"
koutu.nothing
"""
MYPY = """[mypy]
strict = true
[mypy-torch.*]
follow_imports = skip
"""  # PyTorch is no dependency, and takes mypy longest
CHECKERS = {
    "pyright": ["--pythonpath", "{python}"],
    "mypy": ["--python-executable", "{python}", "--config-file", "mypy.ini", "--cache-dir", os.devnull],
}
_ERROR = re.compile(r"(\w+\.py):(\d+):.*\berror:")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a user's scripts and an environment, .venv, into which the wheel is installed."""
    folder = tmp_path_factory.mktemp("program")
    offline = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    _run("-m", "pip", "wheel", *offline, "--no-build-isolation", "--wheel-dir", folder, ROOT)
    _run("-m", "venv", "--without-pip", folder / ".venv")
    (wheel,) = folder.glob("koutu-*.whl")
    site = next((folder / ".venv").rglob("site-packages"))
    _run("-m", "pip", "install", *offline, "--no-compile", "--target", site, wheel)
    # The environment of the tests lends what koutu depends on, but no editable koutu: a .pth it holds is not followed.
    (site / "lent.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    for name, text in {"right.py": RIGHT, "wrong.py": WRONG, "mypy.ini": MYPY}.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("checker", ["pyright", pytest.param("mypy", marks=LONG)])
def test_a_users_program_is_checked_against_the_wheel(program, checker):
    arguments = [argument.format(python=program / ".venv" / "bin" / "python") for argument in CHECKERS[checker]]
    command = [sys.executable, "-m", checker, *arguments, "right.py", "wrong.py"]
    out = subprocess.run(command, cwd=program, stdout=subprocess.PIPE, text=True).stdout
    found = {(file, int(line)) for file, line in _ERROR.findall(out)}
    assert found == {("wrong.py", line) for line in range(2, len(WRONG.splitlines()) + 1)}, out


def test_the_wheel_is_light(program):
    (wheel,) = program.glob("koutu-*.whl")
    assert wheel.stat().st_size < 20e6
    held = {name.removeprefix("koutu/weights/") for name in ZipFile(wheel).namelist()}
    for card in MODELS.values():
        assert ({card.file, card.checkpoint} <= held) != card.apart


def test_type_checkers_are_told_the_names_that_are_there():
    body = ast.parse(Path(koutu.__file__).read_text()).body
    told = next(node for node in body if isinstance(node, ast.If))
    froms = [node for node in told.body if isinstance(node, ast.ImportFrom)]
    assert {alias.asname: node.module for node in froms for alias in node.names} == koutu._HOMES


@pytest.mark.parametrize("name", koutu._HOMES)
def test_every_public_name_says_what_it_is(name):
    assert inspect.getdoc(getattr(koutu, name))


def _run(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, *map(str, arguments)], check=True)
