"""`koutu data audit`: what is drawn, what it shows, and what grades must be before they say anything."""

import csv
import json
import re

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from koutu.cli import app
from koutu.data.packs.audit import draw_audit
from koutu.data.packs.audit_draw import draw_images
from koutu.data.packs.audit_picture import TALL, WIDE, hardest, strip
from koutu.data.packs.grades import Tally
from koutu.data.packs.pack import Entry, Pack, write_pack
from koutu.data.packs.plan import AuditPlan
from koutu.media.image import read_image
from koutu.types import InputError, OutputError

HEIGHT, WIDTH = 60, 48


def person(i: int) -> np.ndarray:
    rgba = np.full((HEIGHT, WIDTH, 4), (60, 90, 120, 0), np.uint8)
    cv2.circle(rgba, (24, 34), 14, (200, 40, 40, 255), -1)
    rgba[0, 0, 0] = i
    return rgba


def entry(name: str, source: str, group: str, frame: int = -1) -> Entry:
    return Entry(name, source, f"{source}/{group}", True, HEIGHT, WIDTH, 4, frame=frame)


@pytest.fixture
def pack(tmp_path):
    """A set of stills, of which one group has many, and a set of two long clips."""
    entries = [entry(f"s{i}", "stills", str(max(0, i - 20))) for i in range(30)]
    entries += [entry(f"{clip}/{t}", "a/b", clip, t) for clip in ("x", "y") for t in range(50)]
    write_pack(tmp_path / "people", [(e, person(i)) for i, e in enumerate(entries)])
    return tmp_path / "people"


def run(*words):
    return CliRunner().invoke(app, ["data", "audit", *map(str, words)], catch_exceptions=False)


def rows(path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def fill(path, grade) -> None:
    """Every row gets the grade that `grade` says of it."""
    held = rows(path)
    with open(path, "w", newline="") as file:
        table = csv.DictWriter(file, list(held[0]))
        table.writeheader()
        table.writerows(row | {"grade": grade(row)} for row in held)


def test_samples_are_spread_over_groups_and_frames(pack):
    drawn = draw_images(Pack(pack), 10, 0)
    stills, clips = ([s for s in drawn if s.source == source] for source in ("stills", "a/b"))
    assert [s.number for s in stills] == list(range(1, 11)) and len({s.group for s in stills}) == 10
    frames = {clip: sorted(int(s.name[2:]) for s in clips if s.name[0] == clip) for clip in "xy"}
    for held in frames.values():
        gaps = np.diff([*held, held[0] + 50])
        assert len(held) == 5 and gaps.max() <= 25 and gaps.min() >= 5
    assert draw_images(Pack(pack), 6, 0)[:6] == stills[:6]
    assert draw_images(Pack(pack), 10, 0) == drawn != draw_images(Pack(pack), 10, 1)
    assert len({s.name for s in draw_images(Pack(pack), 1000, 0)}) == 130


def test_sheets_page_and_table_are_drawn(pack, tmp_path):
    done = run(pack, "-o", tmp_path / "look", "--count", 14)
    assert done.exit_code == 0 and "wrote 4 sheets, audit.html and grades.csv" in done.output
    files = {file.name for file in (tmp_path / "look").iterdir()}
    assert files == {"stills-1.jpg", "stills-2.jpg", "a_b-1.jpg", "a_b-2.jpg", "audit.html", "grades.csv"}
    first, last = (read_image(tmp_path / "look" / name) for name in ("stills-1.jpg", "stills-2.jpg"))
    assert first.shape[1] == 1600 and first.shape[0] > 6 * TALL > last.shape[0] > TALL
    page = (tmp_path / "look/audit.html").read_text()
    match = re.search(r'id="draw">(.*?)</script>', page)
    assert match and [s["name"] for s in json.loads(match[1])["drawn"]] == [
        row["name"] for row in rows(tmp_path / "look/grades.csv")
    ]
    assert len(re.findall(r"^/9j/", page, re.MULTILINE)) == 28 and "://" not in page


def test_a_strip_shows_the_person_elsewhere_and_the_worst_of_the_edge():
    rgba = np.full((300, 200, 4), (90, 90, 90, 0), np.uint8)
    cv2.circle(rgba, (100, 180), 60, (200, 160, 140, 255), -1)
    rgba[110:140, 30:70, 3] = 120  # smeared far out on the left
    picture = strip(rgba, False)
    assert picture.shape == (TALL, WIDE, 3)
    corners = hardest(np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3]), (30, 30))
    assert len(corners) == 3 and any(80 <= top <= 140 and 10 <= left <= 70 for top, left in corners)
    for odd in (np.zeros((1, 1, 4)), np.full((9, 700, 4), 255), np.zeros((50, 50, 4)), rgba[:3]):
        assert strip(odd.astype(np.uint8), True).shape == (TALL, WIDE, 3)


def test_grades_say_how_much_of_each_set_is_usable(pack, tmp_path):
    run(pack, "-o", tmp_path / "look", "--count", 10)
    grades = tmp_path / "look/grades.csv"
    fill(
        grades,
        lambda r: (
            "wrong" if r["source"] == "a/b" and int(r["number"]) < 4 else "Good " if r["number"] == "1" else "usable"
        ),
    )
    done = run(pack, "--grades", grades, "--count", 10)
    assert done.exit_code == 0 and "under 80% usable, to be left out: a/b" in done.output
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.output.splitlines()[2:4]]
    assert cells == [
        ["stills", "10", "1", "9", "0", "100%", "72% to 100%"], ["a/b", "10", "0", "7", "3", "70%", "40% to 89%"],
    ]  # fmt: skip
    low, high = Tally("x", {"good": 40, "usable": 15, "wrong": 5}).interval
    assert (round(low, 3), round(high, 3)) == (0.819, 0.964)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda text: text, r"line 2: expected the grade good, usable, wrong, got '', and so in 9 more lines"),
        (lambda text: text.replace(",,", ",fine,", 1), r"line 2: expected the grade .* got 'fine'"),
        (lambda text: text.rsplit("\n", 2)[0] + "\n", r"expected 10 rows, an image each, got 9"),
        (lambda text: text.replace("\n3,", "\n4,", 1), r"line 4: expected number 3 of stills"),
        (lambda text: text.replace(",", ";"), r"expected a table with the columns number,name,.* got number;name"),
        (lambda text: text.replace(",,", ",", 1), r"line 2: expected 6 cells, got 5"),
        (lambda text: "", r"expected a table with the columns .* got nothing"),
        (lambda text: "\0\xff", r"expected a table with the columns|expected the grades.csv"),
    ],
)
def test_grades_that_cannot_be_used_are_named(pack, tmp_path, spoil, told):
    run(pack, "-o", tmp_path / "look", "--count", 5)
    path = tmp_path / "look/grades.csv"
    path.write_text(spoil(path.read_text()))
    with pytest.raises(InputError, match=told):
        run(pack, "--grades", path, "--count", 5)


def test_grades_are_never_lost(pack, tmp_path):
    words = [pack, "-o", tmp_path / "look", "--count", 5]
    run(*words)
    fill(tmp_path / "look/grades.csv", lambda row: "good" if row["number"] == "2" else "")
    run(*words)
    assert [row["grade"] for row in rows(tmp_path / "look/grades.csv")] == ["", "good", "", "", ""] * 2
    assert '"grade": "good"' in (tmp_path / "look/audit.html").read_text()
    before = (tmp_path / "look/grades.csv").read_bytes()
    for more in (["--seed", 1], ["--count", 6]):
        with pytest.raises(InputError, match=r"another draw.*draw into another folder"):
            run(*words, *more)
    later = (tmp_path / "look/grades.csv").read_text().replace(",,", ",wrong,", 1)
    draw_audit(
        pack, tmp_path / "look", AuditPlan(5),
        progress=lambda done, total, name: (tmp_path / "look/grades.csv").write_text(later) and None,
    )  # fmt: skip
    assert (tmp_path / "look/grades.csv").read_text() == later
    before = later.encode()
    held = Pack(pack)
    write_pack(tmp_path / "changed", [(e, 255 - held[i]) for i, e in enumerate(held.entries)])
    with pytest.raises(InputError, match="line 2: expected number 1"):
        run(tmp_path / "changed", *words[1:])
    assert (tmp_path / "look/grades.csv").read_bytes() == before


def test_wrong_calls_are_told(pack, tmp_path):
    for more in ([], ["-o", tmp_path / "look", "--grades", tmp_path / "grades.csv"]):
        with pytest.raises(InputError, match=r"expected a folder to fill .*or grades"):
            run(pack, *more)
    with pytest.raises(InputError, match="expected a pack index"):
        run(tmp_path / "nothing", "-o", tmp_path / "look")
    with pytest.raises(InputError, match=r"expected the grades\.csv"):
        run(pack, "--grades", tmp_path / "grades.csv")
    write_pack(tmp_path / "places", [(Entry("a", "s", "g", False, 2, 2, 3), np.ones((2, 2, 3), np.uint8))])
    with pytest.raises(InputError, match="expected a pack of people"):
        run(tmp_path / "places", "-o", tmp_path / "look")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a folder for the results"):
        run(pack, "-o", tmp_path / "file")
    assert not (tmp_path / "look").exists()


def test_a_full_disk_leaves_nothing(pack, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("koutu.data.packs.audit.grades_text", full)
    with pytest.raises(OutputError, match="No space left on device; check the folder"):
        run(pack, "-o", tmp_path / "look", "--count", 1)
    assert not list((tmp_path / "look").iterdir())
