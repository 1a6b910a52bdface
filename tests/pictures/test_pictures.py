"""Which image goes where: folders, globs, folders within folders, and formats."""

from pathlib import Path

import pytest

from koutu.pictures import jobs
from koutu.types import InputError, OutputError


@pytest.fixture
def portraits(tmp_path) -> Path:
    for name in ("a.jpg", "b10.PNG", "b9.png", "notes.txt", ".hidden.png", "in/a.jpg", "in/.off/c.png"):
        path = tmp_path / "portraits" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "portraits"


def names(pairs, root: Path) -> list[str]:
    return [f"{source.relative_to(root)} > {target}" for source, target in pairs]


def test_a_folder_is_all_its_images_in_order(portraits):
    assert names(jobs([f"{portraits}"], "cut"), portraits) == [
        "a.jpg > cut/a.png", "b9.png > cut/b9.png", "b10.PNG > cut/b10.png",
    ]  # fmt: skip
    assert names(jobs([f"{portraits}"], "cut", ending="webp", recursive=True), portraits) == [
        "a.jpg > cut/a.webp", "b9.png > cut/b9.webp", "b10.PNG > cut/b10.webp", "in/a.jpg > cut/in/a.webp",
    ]  # fmt: skip


def test_results_of_an_earlier_run_are_no_input(portraits):
    """Of folders and of globs, which is told; a folder whose results stay in it is read, and so is what is named."""
    (portraits / "cut").mkdir()
    (portraits / "cut" / "a.png").write_bytes(b"x")
    told: list[str] = []
    cut = f"{portraits}/cut"
    assert any(line.startswith("cut/a.png") for line in names(jobs([f"{portraits}"], "x", recursive=True), portraits))
    found = names(jobs([f"{portraits}"], cut, recursive=True, tell=told.append), portraits)
    assert len(found) == 4 and not any(line.startswith("cut/") for line in found)
    assert told == [f"left out 1 image(s) in {cut}, where results go"]
    assert names(jobs([f"{portraits}/in"], f"{portraits}/in", tell=told.append), portraits)[0].startswith("in/a.jpg")
    assert len(told) == 1
    with pytest.raises(InputError, match="where results go, got none"):
        jobs([f"{portraits}/cut/*.p?g"], cut)


def test_globs_that_no_shell_fills_in(portraits):
    assert names(jobs([f"{portraits}/b*.png"], "cut/"), portraits)[0] == "b9.png > cut/b9.png"
    with pytest.raises(InputError, match="a pattern that names images, got none"):
        jobs([f"{portraits}/x*.png"], "cut/")


@pytest.mark.parametrize(
    ("sources", "output", "options", "message"),
    [
        (["{}"], "a.png", {}, "a folder for 3 images, got the file name"),
        (["{}"], "-", {}, "one image when writing to standard output"),
        (["{}/a.jpg"], "a.png", {"ending": "webp"}, "leave --format out"),
        (["{}/a.jpg", "{}/in/a.jpg"], "cut", {}, "would both be written to"),
    ],
)
def test_what_cannot_be(portraits, sources, output, options, message):
    with pytest.raises(OutputError, match=message):
        jobs([source.format(portraits) for source in sources], output, **options)


def test_a_folder_without_images(portraits):
    (portraits / "none").mkdir()
    with pytest.raises(InputError, match="got none in it; --recursive"):
        jobs([f"{portraits}/none"], "cut")
