"""Files, folders, patterns and lists become items with a target each; what is wrong is refused, and its row named."""

from pathlib import Path
from typing import Any

import pytest

from koutu.batch.options import ItemOptions, options_of, told_options
from koutu.batch.sources import items_of
from koutu.types import InputError, KoutuError, ModelError, OutputError

NAMES = ("a.mp4", "deep/b.MOV", "deep/c.jpg", "note.md", ".hidden/d.mp4")


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder of clips and pictures, none of which is opened, and where one is."""
    for name in NAMES:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def named(sources: list[str], options: ItemOptions | None = None, target: str = "out") -> list[tuple[str, str]]:
    return [(item.source, item.name) for item in items_of(sources, target, options or ItemOptions())]


FOLDER = [("in/a.mp4", "a.mp4"), ("in/deep/b.MOV", "deep/b.mp4"), ("in/deep/c.jpg", "deep/c.png")]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["in"], FOLDER),
        (["in/*.mp4", "in/deep"], [FOLDER[0], ("in/deep/b.MOV", "b.mp4"), ("in/deep/c.jpg", "c.png")]),
        (["in/**/*.[jM]*"], FOLDER[1:]),
        (["in/note.md"], [("in/note.md", "note.mp4")]),
    ],
)
def test_names(place, sources, expected):
    assert named(sources) == expected


def test_endings_follow_the_options(place):
    cut = ItemOptions(background="transparent", image_format="webp", alpha=True)
    assert [name for _, name in named(["in"], cut)] == ["a.webm", "deep/b.webm", "deep/c.webp"]
    names = [item.names for item in items_of(["in"], "out", cut)]
    assert [each["alpha"] for each in names] == ["a.alpha.webm", "deep/b.alpha.webm", "deep/c.alpha.webp"]


def test_lists(place):
    (place / "in" / "list.txt").write_text("# talks\na.mp4\n\ndeep/c.jpg\n")
    assert named(["in/list.txt"]) == [("in/a.mp4", "a.mp4"), ("in/deep/c.jpg", "c.png")]
    (place / "list.csv").write_text(
        "source,target,background,crf,gate\nin/a.mp4,x/talk.mov,transparent,,no\nin/deep,,,30,\n"
    )
    items = items_of(["list.csv"], "out", ItemOptions(crf=20))
    assert [(item.name, item.options.crf, item.options.gate) for item in items] == [
        ("x/talk.mov", 20, False), ("b.mp4", 30, None), ("c.png", 30, None),
    ]  # fmt: skip
    assert told_options(items[0].options.told()) == items[0].options


@pytest.fixture
def arrow(place) -> Any:
    """Writes columns to list.parquet, and returns its bytes."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # pyright: ignore[reportMissingImports]

    def write(**columns: Any) -> bytearray:
        parquet.write_table(pyarrow.table(columns), "list.parquet")
        return bytearray(Path("list.parquet").read_bytes())

    return write


def test_parquet(arrow):
    """As tables of data frames are: numbers with gaps are fractions and NaN."""
    arrow(
        source=["in/a.mp4", "in/deep"], target=["x/talk.mov", None], background=["transparent", None],
        crf=[30.0, float("nan")], gate=[False, None],
    )  # fmt: skip
    items = items_of(["list.parquet"], "out", ItemOptions(crf=20))
    assert [(item.name, item.options.crf, item.options.gate) for item in items] == [
        ("x/talk.mov", 30, False), ("b.mp4", 20, None), ("c.png", 20, None),
    ]  # fmt: skip
    arrow(source=["in/a.mp4"])
    assert named(["list.parquet", "in/deep/c.jpg"]) == [FOLDER[0], ("in/deep/c.jpg", "c.png")]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"source": ["in/a.mp4", "in/deep/c.jpg"], "crf": [20.0, 20.5]},
            r"row 2: expected crf to be .* '20.5'",
        ),
        ({"source": ["in/a.mp4", None]}, r"list.parquet, row 2: expected a source, got none"),
        ({"source": ["in/gone.mp4"]}, r"list.parquet, row 1: in/gone.mp4: expected a file that can be read"),
        ({"source": ["in/a.mp4"], "colour": ["red"]}, r"row 1: expected columns source.* got 'colour'"),
        ({"name": ["in/a.mp4"]}, r"list.parquet: expected a column source, got name"),
    ],
)
def test_a_wrong_row_of_parquet_is_named(arrow, columns, said):
    arrow(**columns)
    with pytest.raises(KoutuError, match=said):
        named(["list.parquet"])


def test_parquet_that_is_damaged(arrow):
    data = arrow(source=[f"in/{number}.mp4" for number in range(50)])
    within = data[:10] + bytes(40) + data[50:]
    for wrong in (b"", b"PAR1", bytes(within), bytes(data[:-20])):
        Path("list.parquet").write_bytes(wrong)
        with pytest.raises(InputError, match=r"list.parquet: expected a Parquet file, got another"):
            named(["list.parquet"])


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("source,crf\nin/a.mp4,20\nin/deep/c.jpg,many\n", InputError, r"list.csv, row 3: expected crf to be a whole"),
        ("source,crf\nin/a.mp4,99\n", OutputError, r"list.csv, row 2: expected crf to be one of 0…51, got 99"),
        ("source,colour\nin/a.mp4,red\n", InputError, r"row 2: expected columns source.* got 'colour'"),
        ("source,background\nin/a.mp4,nowhere.jpg\n", InputError, r"row 2: nowhere.jpg: expected as background"),
        ("source,hold\nin/a.mp4,perhaps\n", InputError, r"row 2: expected hold to be yes or no"),
        ("source,target\nin/a.mp4,../x.mp4\n", OutputError, r"row 2: expected a target below"),
        ("source,target\nin/a.mp4,x.txt\n", OutputError, r"row 2: expected a target below"),
        ("source,target\nin,x.mp4\n", InputError, r"row 2: expected one source for the target x.mp4, got 3"),
        ("source,mask\nin/a.mp4,m.png\n", InputError, r"row 2: m.png: expected the file of --mask"),
        ("source,format\nin/a.mp4,avi\n", InputError, r"row 2: expected a format out of mp4"),
        ("source,model\nin/a.mp4,nonet\n", ModelError, r"row 2: expected a model out of koutu"),
        ("source,target\n,x.mp4\n", InputError, r"row 2: expected a source, got none"),
        ("source\nin/a.mp4,1\n", InputError, r"row 2: expected 1 columns"),
        ("source\nin/gone.mp4\n", InputError, r"row 2: in/gone.mp4: expected a file that can be read"),
        ("name\nin/a.mp4\n", InputError, r"list.csv: expected a column source"),
    ],
)
def test_a_wrong_row_is_named(place, text, error, said):
    (place / "list.csv").write_text(text)
    with pytest.raises(error, match=said):
        named(["in/deep/c.jpg", "list.csv"])


@pytest.mark.parametrize(
    ("sources", "target", "said"),
    [
        (["in", "in/a.mp4"], "out", "in/a.mp4 and in/a.mp4 would both be written to out/a.mp4"),
        (["in"], "in/deep/out", "expected a target outside the sources"),
        (["in/**/*.mp4"], "in/out", "expected a target outside the sources"),
        (["in/a.mp4"], "in", "expected an output other than the input"),
        (["in/*.avi"], "out", "expected a file, a folder with files or a pattern that names some, got none"),
        ([], "out", "got none; name some"),
    ],
)
def test_what_cannot_be_is_refused(place, sources, target, said):
    with pytest.raises(KoutuError, match=said):
        named(sources, target=target)
    assert not (place / "out").exists()


def test_options_that_exclude_each_other():
    with pytest.raises(InputError, match="holds alpha"):
        ItemOptions(background="transparent", format="mp4").require()
    with pytest.raises(InputError, match="jpg holds no alpha"):
        ItemOptions(background="transparent", image_format="jpg").require()
    assert options_of({"background": None, "option": "a=1 b=2"}, ItemOptions()).option == ("a=1", "b=2")


def test_addresses(place):
    pytest.importorskip("fsspec")
    inside = f"file://{place}/in"
    assert named([inside]) == [(f"file://{place}/in/{source[3:]}", name) for source, name in FOLDER]
    assert named([f"{inside}/*.mp4"]) == [(f"{inside}/a.mp4", "a.mp4")]
    for source in (f"file://{place}/gone", "nothing://x/y.mp4"):
        with pytest.raises(InputError, match="expected an address that can be used"):
            named([source])


def test_a_missing_package_is_named(place, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(ModelError, match="addresses need fsspec"):
        named(["s3://bucket/x.mp4"])
