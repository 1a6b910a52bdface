"""A pack's card says what is in it, whether it may be handed on, and what was left out; a clean pack holds no other."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from koutu.cli import app
from koutu.data.packs.card import command_line
from koutu.data.packs.pack import Pack, write_pack
from koutu.data.packs.plan import PackPlan
from koutu.data.packs.sources import Source
from koutu.data.packs.write import pack_sets
from koutu.types import InputError, OutputError

SOFT = np.linspace(0, 255, 40).astype(np.uint8)[None].repeat(30, 0)


@pytest.fixture
def sets(tmp_path):
    """Two sets of cut-outs, and one as koutu renders it."""
    for name, files in (("london", ("p1_a", "p2_a", "p1_b", "blurred")), ("eg", ("x",)), ("renders/stills", ("7-0",))):
        (tmp_path / name).mkdir(parents=True)
        for file in files:
            Image.fromarray(np.dstack([SOFT] * 4)).save(tmp_path / name / f"{file}.png")
    (tmp_path / "london/torn.png").write_bytes((tmp_path / "london/p1_a.png").read_bytes()[:60])
    Image.fromarray(np.zeros((30, 40, 4), np.uint8)).save(tmp_path / "eg/gone.png")
    (tmp_path / "renders/stills/7-0.json").write_text("{}")
    (tmp_path / "renders/render.json").write_text(json.dumps({"format": 1, "seed": 7, "licence": "CC0"}))
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, ["data", "pack", *map(str, words)], catch_exceptions=False)


def test_the_card_says_what_is_in_the_pack_and_what_is_not(sets):
    done = run(
        sets / "london", sets / "eg", sets / "renders", "-o", sets / "out/people", "--group", r"london=^p\d|blur|torn",
        "--layout", "london=folder", "--layout", "eg=folder",
        "--class", "clean", "--class", "eg=research", "--licence", "london=CC-BY | 4.0", "--exclude", "blurred",
    )  # fmt: skip
    assert done.exit_code == 3 and "card " in done.output
    text = (sets / "out/people.md").read_text()
    assert "**Research**" in text and "5 images of people" in text
    rows = [[cell.strip() for cell in line.split(" | ")] for line in text.splitlines() if line.startswith("| ")][1:]
    assert [row[:6] for row in rows] == [
        ["| london", "3", "2", "3", "clean", "CC-BY \\| 4.0"],
        ["| eg", "1", "1", "1", "research", "nobody said"],
        ["| renders", "1", "1", "1", "clean", "CC0"],
    ]
    assert rows[2][6:] == ["rendered, all", "seed 7 |"]
    assert "* london: 1, excluded by name: blurred" in text and "* eg: 1, nobody in them: gone" in text
    assert sum(line.startswith("* london: 1, ") and line.endswith(": torn") for line in text.splitlines()) == 1


def test_the_card_tells_the_command_without_the_packers_folders(sets):
    words = ["koutu", "data", "pack", f"eg={sets / 'eg'}", str(sets / "london"), "rooms/", f"--output={sets / 'out/p'}",
             "--group", r"london=^(\d+)_", "--exclude", "/a=/b/c", "/"]  # fmt: skip
    command = command_line(words)
    assert command == r"koutu data pack eg=eg london rooms/ --output=p --group 'london=^(\d+)_' --exclude c /"
    pack_sets([Source("eg", sets / "eg")], sets / "out/p", command=command)
    assert f"```sh\n{command}\n```" in (sets / "out/p.md").read_text()


def test_the_card_counts_files_that_are_no_images(sets):
    pack_sets([Source("places", sets)], sets / "places", PackPlan(backgrounds=True))
    assert "* places: 2, neither images nor videos\n" in (sets / "places.md").read_text()


def test_a_clean_pack_holds_clean_sets_alone(sets):
    london = Source("london", sets / "london", licence="CC-BY 4.0", class_="clean")
    renders = Source("renders", sets / "renders", class_="clean")
    pack_sets([london, renders], sets / "clean", PackPlan(clean=True))
    assert "**Clean**" in (sets / "clean.md").read_text()
    for class_, told in (("research", "got eg of research"), ("", "got eg of no class"), ("free", "got 'free'")):
        with pytest.raises(InputError, match=told):
            pack_sets([london, Source("eg", sets / "eg", class_=class_)], sets / "none", PackPlan(clean=True))
    with pytest.raises(InputError, match="licence of every set of a clean pack, got none of eg"):
        pack_sets([london, Source("eg", sets / "eg", class_="clean")], sets / "none", PackPlan(clean=True))
    assert not list(sets.glob("none*"))
    pack_sets([london, Source("eg", sets / "eg")], sets / "mixed")
    assert "**Of no class**" in (sets / "mixed.md").read_text()


def test_a_card_goes_with_its_pack_and_overwrites_no_other_text(sets):
    run(sets / "eg", "-o", sets / "people")
    write_pack(sets / "people", [(Pack(sets / "people").entries[0], np.ones((30, 40, 4), np.uint8))])
    assert not (sets / "people.md").exists()
    (sets / "people.md").write_text("# notes of mine\n")
    with pytest.raises(OutputError, match=r"room for a card, got .*people.md, another text"):
        run(sets / "eg", "-o", sets / "people")
    assert (sets / "people.md").read_text() == "# notes of mine\n" and (Pack(sets / "people")[0] == 1).all()


def test_shards_keep_together_who_belongs_together(sets):
    source = Source("london", sets / "london", group=r"^p\d|blur|torn")
    pack_sets([source], sets / "whole")
    pack_sets([source], sets / "parts", PackPlan(shard_mb=1))
    order = [[e.name for e in Pack(sets / name).entries] for name in ("whole", "parts")]
    assert order == [["blurred", "p1_a", "p1_b", "p2_a"]] * 2
    source = Source("london", sets / "london", group=r"_.|blur|torn")
    pack_sets([source], sets / "parts", PackPlan(shard_mb=1))
    assert [e.name for e in Pack(sets / "parts").entries] == ["blurred", "p1_a", "p2_a", "p1_b"]
    assert "in 1 shards of at most 1 MB" in (sets / "parts.md").read_text()
