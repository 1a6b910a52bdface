"""`koutu data check`: what it counts, what it finds broken and double, the sheet, the JSON and the exit code."""

import json
import threading

import numpy as np
import pytest
from PIL import Image
from support.sets import COLOUR, HARD, SIZE, SOFT, grow, save
from typer.testing import CliRunner

from koutu.cli.data import app
from koutu.data.sets.check import check_sets
from koutu.data.sets.contact_sheet import contact_sheet, make_cell
from koutu.data.sets.duplicates import alike, mark
from koutu.data.sets.example import Clip, Example, Frames
from koutu.data.sets.open import open_dataset, open_splits
from koutu.media.image import read_image
from koutu.types import InputError


def scene(seed: int) -> np.ndarray:
    """A picture unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((128, 96), Image.Resampling.BICUBIC))


def run(*words):
    return CliRunner().invoke(app, ["check", *map(str, words)], catch_exceptions=False)


def test_marks_outlive_scaling_and_compression_only(tmp_path):
    one, other = scene(1), scene(2)
    small = np.asarray(Image.fromarray(one).resize((64, 48)))
    Image.fromarray(one).save(tmp_path / "a.jpg", quality=40)
    jpeg = read_image(tmp_path / "a.jpg")
    lighter = np.clip(one * 0.9 + 20, 0, 255).astype(np.uint8)
    assert alike([mark(x) for x in (other, one, small, jpeg, lighter, one[:, ::-1])]) == [[1, 2, 3, 4]]
    assert alike([]) == [] and alike([mark(one)]) == []


def test_near_hashes_are_all_found():
    rng = np.random.default_rng(0)
    marks = rng.integers(0, 2**63, (3000, 5), dtype=np.uint64)
    expected = []
    for at in range(0, 200, 4):
        marks[at + 1] = marks[at]
        for bit in rng.choice(64, 6 + at % 8 // 4, replace=False).tolist():  # 6 in turn with 7, which are too many
            marks[at + 1, 0] ^= np.uint64(1) << np.uint64(bit)
        expected += [[at, at + 1]] if at % 8 == 0 else []
    assert sorted(alike(list(marks))) == expected
    marks[1, 1:] = ~marks[1, 1:]
    assert sorted(alike(list(marks))) == expected[1:]


def test_counts_shares_and_duplicates(tmp_path):
    for name, seed in (("a", 1), ("b", 2), ("copy", 1)):
        save(tmp_path / f"train/images/{name}.png", scene(seed))
        save(tmp_path / f"train/alphas/{name}.png", np.asarray(Image.fromarray(SOFT).resize((128, 96))))
    save(tmp_path / "test/images/t.png", scene(2))
    save(tmp_path / "test/alphas/t.png", np.full((96, 128), 255, np.uint8))
    found = check_sets(open_splits(tmp_path), threads=2)
    test, train = (summary.facts() for summary in found.summaries)
    assert (test["split"], train["split"]) == ("test", "train") and not found.broken
    assert train["pictures"] == train["stills"] == 3 and train["sizes"]["median"] == [128, 96]
    assert 0.9 < train["soft"] < 1 and train["binary"] == 0 and test["empty_or_full"] == ["t"]
    name = tmp_path.name
    assert sorted(map(sorted, found.duplicates)) == [
        sorted([(f"{name}-test", "t"), (f"{name}-train", "b")]),
        [(f"{name}-train", "a"), (f"{name}-train", "copy")],
    ]
    assert len(found.between) == 1


def test_the_command_tells_writes_and_leaves_with_three(tmp_path):
    root = grow(tmp_path / "set", "original/a.jpg c, mask/a.png a, original/b.jpg c, original/c.jpg c, mask/c.png a")
    (root / "mask/c.png").write_bytes(b"")
    sheet, report = tmp_path / "sheet.png", tmp_path / "report.json"
    done = run(root, "--sheet", sheet, "--json", report)
    assert done.exit_code == 3
    assert "aim-500" in done.output and "original/b.jpg" in done.output and "empty file" in done.output
    assert "1 images read: min 32×24" in done.output
    told = json.loads(report.read_text())
    assert [item["name"] for item in told["sets"][0]["broken"]] == ["c", "original/b.jpg"]
    assert told["sets"][0]["layout"] == "aim-500" and told["duplicates"] == []
    assert read_image(sheet).shape == (160 + 18 + 16, 2 * 160 + 16, 3)
    (root / "original/b.jpg").unlink()
    save(root / "mask/c.png", SOFT)
    assert run(root).exit_code == 0


def test_broken_items_beyond_twenty_are_counted(tmp_path):
    grow(tmp_path, ", ".join(f"original/{i}.png c" for i in range(24)) + ", mask/0.png a")
    done = run(tmp_path, "--layout", "aim-500")
    assert done.output.count("expected pha at mask/") == 20 and "and 3 more" in done.output and done.exit_code == 3


def test_against_finds_the_same_picture_in_another_set_of_the_same_name(tmp_path):
    for top, name in (("one", "a"), ("two", "b")):
        save(tmp_path / top / "set/im" / f"{name}.png", scene(5))
        save(tmp_path / top / "set/mask" / f"{name}.png", np.asarray(Image.fromarray(HARD).resize((128, 96), 0)))
    done = run(tmp_path / "one/set", "--against", tmp_path / "two/set")
    assert done.exit_code == 0 and "0 within a set, 1 between" in done.output
    assert "truths that are masks: 100.0%" in done.output
    line = next(line for line in done.output.splitlines() if line.endswith("/b"))
    assert "one/set" in line and "two/set" in line


def test_a_picture_that_splits_share_is_not_double(tmp_path):
    grow(tmp_path, "input_lowres/doll.png c, trimap_lowres/Trimap1/doll.png t, trimap_lowres/Trimap2/doll.png t")
    found = check_sets(open_splits(tmp_path))
    assert len(found.summaries) == 2 and found.duplicates == []
    save(tmp_path / "input_lowres/copy.png", COLOUR)
    save(tmp_path / "trimap_lowres/Trimap2/copy.png", HARD)
    assert len(check_sets(open_splits(tmp_path)).duplicates) == 1


def test_a_wrong_folder_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="data set"):
        run(tmp_path)


def test_of_a_clip_the_first_frame_is_compared_and_all_are_read(tmp_path):
    grow(tmp_path, ", ".join(f"{clip}/{role}/000{i}.png {kind}" for clip in "xy" for i in range(3)
                             for role, kind in (("com", "c"), ("pha", "a"))))  # fmt: skip
    found = check_sets([open_dataset(tmp_path)], keep=5)
    facts = found.summaries[0].facts()
    assert facts["clips"] == 2 and facts["pictures"] == 6 and len(found.cells()) == 2
    assert [sorted(name for _, name in group) for group in found.duplicates] == [["x/0000", "y/0000"]]


def test_the_sheet_shows_odd_truths_then_the_softest(tmp_path):
    steps = np.where(np.arange(SIZE[1]) < 28, HARD, 99).astype(np.uint8)
    for name, truth in (("hard", HARD), ("little", steps), ("none", HARD * 0), ("soft", SOFT)):
        save(tmp_path / f"original/{name}.png", COLOUR)
        save(tmp_path / f"mask/{name}.png", truth)
    assert [cell.name for cell in check_sets([open_dataset(tmp_path)], keep=3).cells()] == ["none", "soft", "little"]


def test_a_sheet_lies_in_rows_and_keeps_shapes():
    wide = make_cell("w" * 80, np.full((10, 40, 3), 200, np.uint8), np.ones((10, 40), np.float32))
    sheet = contact_sheet([wide] * 4, columns=3)
    assert sheet.shape == (2 * 186 + 8, 3 * 328 + 8, 3)
    assert (wide.picture[80] == 200).all() and (wide.picture[40] == 32).all() and (wide.truth[80] == 255).all()
    assert (contact_sheet([make_cell("n", COLOUR, None)])[88, 8 + 160 + 80] == 64).all()


def test_an_interruption_ends_the_readers(tmp_path):
    data = open_dataset(grow(tmp_path, "original/a.png c, mask/a.png a"))
    running = threading.Event()

    class Endless(Frames):
        def __len__(self):
            return 10**9

        def read(self, start, stop):
            for at in range(stop):
                running.set()
                yield Example(str(at), COLOUR, SOFT.astype(np.float32) / 255, False)

    def stop(done, total, name):
        assert running.wait(60)
        raise KeyboardInterrupt

    endless = Clip("endless", False, Endless())
    changed = type(data)(**{**vars(data), "clips": [endless, *data.clips]})
    with pytest.raises(KeyboardInterrupt):
        check_sets([changed], threads=2, progress=stop)
