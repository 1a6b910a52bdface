"""`koutu data pack`: what is packed of every kind of set, who belongs together, licences, and what is refused."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image
from support.media import make_clip
from typer.testing import CliRunner

from koutu.cli import app
from koutu.data.packs.pack import Entry, Pack, sources, write_pack
from koutu.data.packs.plan import PackPlan
from koutu.data.packs.sources import Source
from koutu.data.packs.write import pack_sets
from koutu.types import InputError, OutputError

SIZE = 60, 100
RGB = np.full((*SIZE, 3), (40, 90, 160), np.uint8)
SOFT = np.zeros(SIZE, np.uint8)
SOFT[10:50, 20:80] = np.linspace(0, 255, 60).astype(np.uint8)
HARD = np.where(SOFT > 127, 255, 0).astype(np.uint8)


def save(path, pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def portraits(root, *names: str, truth=SOFT, folder: str = "gt", picture=RGB):
    """A set of pictures with their truth."""
    for name in names:
        save(root / f"photos/{name}.png", picture)
        save(root / f"{folder}/{name}.png", truth)
    return root


def run(*words):
    return CliRunner().invoke(app, ["data", "pack", *map(str, words)], catch_exceptions=False)


def by_name(path) -> dict[str, tuple[Entry, np.ndarray]]:
    pack = Pack(path)
    return {f"{e.source}/{e.name}": (e, pack[i]) for i, e in enumerate(pack.entries)}


def test_mattes_masks_and_cut_outs_are_packed_each_in_its_way(tmp_path):
    portraits(tmp_path / "soft", "a")
    loose, picture = np.roll(HARD, 2, axis=1), np.where(HARD[..., None] > 0, RGB, 250 - RGB)
    portraits(tmp_path / "hard", "a", truth=loose, folder="masks", picture=picture)
    erased = np.dstack([RGB * (SOFT > 0)[..., None], SOFT])
    save(tmp_path / "cut/a.png", erased)
    save(tmp_path / "made/fgr/a.png", RGB)
    save(tmp_path / "made/pha/a.png", SOFT)
    done = run(*(tmp_path / name for name in ("soft", "hard", "cut", "made")), "-o", tmp_path / "people.bin")
    assert done.exit_code == 0 and "made: 1 images in 1 groups (photomatte, all)" in done.output
    packed = by_name(tmp_path / "people")
    for name, alone, soft in (("soft", 0, 1), ("hard", 0, 0), ("cut", 1, 1), ("made", 1, 1)):
        entry, rgba = packed[f"{name}/a"]
        assert (entry.alone, entry.soft, rgba.shape) == (bool(alone), bool(soft), (*SIZE, 4))
        assert np.abs(rgba[HARD > 0, :3].astype(int) - RGB[0, 0]).max() <= 3
    assert np.abs(packed["cut/a"][1][..., :3].astype(int) - RGB).max() <= 3  # what was erased cannot bleed in
    assert (packed["soft/a"][1][..., 3] == SOFT).all() and (packed["cut/a"][1][..., 3] == SOFT).all()
    followed, given = (np.abs(mask - HARD.astype(int)).mean() for mask in (packed["hard/a"][1][..., 3], loose))
    assert followed < 0.8 * given


def test_pictures_are_shrunk_and_never_enlarged(tmp_path):
    portraits(tmp_path / "set", "a")
    run(tmp_path / "set", "-o", tmp_path / "small", "--long-side", 50)
    run(tmp_path / "set", "-o", tmp_path / "same")
    (_, small), (_, same) = by_name(tmp_path / "small")["set/a"], by_name(tmp_path / "same")["set/a"]
    assert small.shape == (30, 50, 4) and same.shape == (60, 100, 4)
    assert abs(small[..., 3].mean() - SOFT.mean()) < 1


def test_frames_are_spread_over_a_clip_and_share_its_group(tmp_path):
    for i in range(10):
        save(tmp_path / f"set/fgr/0001/{i:04}.png", RGB)
        save(tmp_path / f"set/pha/0001/{i:04}.png", np.full_like(SOFT, 10 * i + 20))
    run(tmp_path / "set", "-o", tmp_path / "out", "--frames", 2)
    packed = by_name(tmp_path / "out")
    assert list(packed) == ["set/0001/0002", "set/0001/0007"]
    assert {e.group for e, _ in packed.values()} == {"set/0001"}
    assert packed["set/0001/0007"][1][..., 3].max() == 90
    assert {e.frame for e, _ in packed.values()} == {-1}
    run(tmp_path / "set", "-o", tmp_path / "all", "--frames", 10)
    assert [e.frame for e, _ in by_name(tmp_path / "all").values()] == list(range(10))
    run(tmp_path / "set", "-o", tmp_path / "out", "--frames", 2, "--exclude", "set/0001/0007")
    assert list(by_name(tmp_path / "out")) == ["set/0001/0002"]


def test_clips_that_are_packed_whole_stay_clips(tmp_path):
    entries = [Entry(f"a/{t}", "a", "a", True, 1, 1, 4, frame=t) for t in range(3)]
    entries += [Entry(f"e/{t}", "a", "a", True, 1, 1, 4, frame=t) for t in (3, 4)]  # whose first showed nobody
    entries += [Entry("b/0", "b", "b", True, 1, 1, 4), Entry("c/0", "c", "c", True, 1, 1, 4, frame=0)]
    entries += [Entry("d/0", "c", "d", True, 1, 1, 4, frame=0), Entry("d/1", "c", "d", True, 1, 1, 4, frame=1)]
    write_pack(tmp_path / "pack", [(entry, np.zeros((1, 1, 4), np.uint8)) for entry in entries])
    pack = Pack(tmp_path / "pack")
    assert [pack.clip(i) for i in (0, 1, 2)] == [range(3)] * 3
    assert [pack.clip(i) for i in (3, 4)] == [range(3, 5)] * 2
    assert [pack.clip(i) for i in (5, 6, 7, 8)] == [range(5, 6), range(6, 7), range(7, 9), range(7, 9)]


def test_groups_by_an_expression(tmp_path):
    portraits(tmp_path / "x", "p1_a", "p1_b", "p2_a")
    portraits(tmp_path / "y", "q")
    words = ["one=" + str(tmp_path / "x"), tmp_path / "y", "-o", tmp_path / "out"]
    run(*words, "--group", r"one=^(p\d)_")
    assert [e.group for e, _ in by_name(tmp_path / "out").values()] == ["one/p1", "one/p1", "one/p2", "y/q"]
    with pytest.raises(InputError, match="none in 1, such as q"):
        run(*words, "--group", r"^(p\d)_")
    with pytest.raises(InputError, match="regular expression"):
        run(*words, "--group", "one=(")
    assert len(Pack(tmp_path / "out")) == 4  # the earlier one stays


def test_licences_are_told_of_each_set(tmp_path):
    portraits(tmp_path / "x", "a", "b")
    portraits(tmp_path / "y", "a")
    words = [tmp_path / "x", tmp_path / "y", "-o", tmp_path / "out", "--licence", "x=CC-BY 4.0"]
    run(*words, "--licence", "a = b")
    assert [s.licence for s in sources(Pack(tmp_path / "out"))] == ["CC-BY 4.0", "a = b"]
    run(*words)
    found = [(s.name, s.count, s.groups, s.licence) for s in sources(Pack(tmp_path / "out"))]
    assert found == [("x", 2, 2, "CC-BY 4.0"), ("y", 1, 1, "")]
    index = json.loads((tmp_path / "out.json").read_text())
    assert set(index[2]) == {"name", "source", "group", "soft", "height", "width", "channels", "offset"}


def test_backgrounds_are_pictures_at_any_depth_and_frames_of_videos(tmp_path):
    save(tmp_path / "b/deep/r.png", RGB)
    save(tmp_path / "b/same.png", RGB)
    save(tmp_path / "b/same.jpg", RGB)
    make_clip(tmp_path / "b/street.mp4", frames=9)
    (tmp_path / "b/licence.txt").write_text("CC0")
    done = run("--backgrounds", tmp_path / "b", "-o", tmp_path / "out", "--frames", 3)
    assert done.exit_code == 0 and "1 other files" in done.output
    packed = by_name(tmp_path / "out")
    assert [e.name for e, _ in packed.values()] == [
        "deep/r", "same.jpg", "same.png", "street/00001", "street/00004", "street/00007",
    ]  # fmt: skip
    assert packed["b/street/00004"][0].group == "b/street" and (packed["b/deep/r"][1] == RGB).all()
    with pytest.raises(InputError, match="expected images or videos"):
        run("--backgrounds", tmp_path / "none", "-o", tmp_path / "out")


def test_names_are_left_out_and_must_be_there(tmp_path):
    portraits(tmp_path / "x", "p1_a", "p1_b", "p2_a", "p3_a", "p3_b")
    (tmp_path / "list.txt").write_text("p2_a  # blurred\n\n")
    (tmp_path / "more.txt").write_text("p3_b\n")
    words = [tmp_path / "x", "-o", tmp_path / "out", "--group", "^p."]
    run(*words, "--exclude", "x/p1", "--exclude", tmp_path / "list.txt", "--exclude", tmp_path / "more.txt")
    assert list(by_name(tmp_path / "out")) == ["x/p3_a"]
    with pytest.raises(InputError, match="got p9"):
        run(*words, "--exclude", "p9")


def test_what_is_tested_on_is_not_packed_by_accident(tmp_path):
    portraits(tmp_path / "x/test", "a")
    portraits(tmp_path / "x/val", "b")
    with pytest.raises(InputError, match="split to train on, got test, val"):
        run(tmp_path / "x", "-o", tmp_path / "out")
    portraits(tmp_path / "x/train", "c")
    run(tmp_path / "x", "-o", tmp_path / "out")
    assert list(by_name(tmp_path / "out")) == ["x/c"]
    run(tmp_path / "x", "-o", tmp_path / "out", "--split", "val")
    assert list(by_name(tmp_path / "out")) == ["x/b"]


def test_broken_pictures_are_told_and_the_others_packed(tmp_path):
    portraits(tmp_path / "x", "a", "b", "empty")
    (tmp_path / "x/photos/b.png").write_bytes(b"no picture")
    save(tmp_path / "x/alpha/empty.png", np.zeros_like(SOFT))
    done = run(tmp_path / "x", "-o", tmp_path / "out")
    assert done.exit_code == 3 and "x/b: " in done.stderr and "nobody in 1, left out, such as x/empty" in done.output
    assert list(by_name(tmp_path / "out")) == ["x/a"]


def test_pictures_without_truth_are_refused_and_nothing_is_left(tmp_path):
    save(tmp_path / "x/a.png", RGB)
    (tmp_path / "y").mkdir()
    make_clip(tmp_path / "y/talk.mp4", frames=2)
    for name in ("x", "y"):
        with pytest.raises(InputError, match="got images alone; make mattes with koutu data matte"):
            run(tmp_path / name, "-o", tmp_path / "packs/out")
    portraits(tmp_path / "z", "a")
    (tmp_path / "z/photos/a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"none that can be used\n  z/a: "):
        run(tmp_path / "z", "-o", tmp_path / "packs/out")
    assert not list((tmp_path / "packs").iterdir())


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt(), SystemExit(143)])
def test_a_pack_is_whole_or_as_it_was(tmp_path, fault):
    def pictures():
        for i in range(3):
            if i == 2:
                raise fault
            yield Entry(f"p{i}", "s", "g", True, 2, 2, 4), np.full((2, 2, 4), i, np.uint8)

    write_pack(tmp_path / "p", [(Entry("old", "s", "g", True, 1, 1, 4), np.ones((1, 1, 4), np.uint8))])
    with pytest.raises(OutputError if isinstance(fault, OSError) else type(fault)):
        write_pack(tmp_path / "p", pictures())
    assert sorted(x.name for x in tmp_path.iterdir()) == ["p.bin", "p.json"]
    assert [e.name for e in Pack(tmp_path / "p").entries] == ["old"]


def test_packs_that_do_not_fit_their_index_are_refused(tmp_path):
    write_pack(tmp_path / "p", [(Entry("a", "s", "g", True, 2, 2, 4), np.ones((2, 2, 4), np.uint8))])
    (tmp_path / "p.bin").write_bytes(b"\0" * 15)
    with pytest.raises(InputError, match="expected the 16 bytes of its index, got 15"):
        Pack(tmp_path / "p")
    (tmp_path / "p.json").write_text('[{"name": "a"}]')
    with pytest.raises(InputError, match="expected the index of a pack"):
        Pack(tmp_path / "p")


def test_names_of_sets_and_outputs_are_checked_first(tmp_path):
    x = portraits(tmp_path / "x", "a")
    with pytest.raises(InputError, match="different names"):
        pack_sets([Source("x", x), Source("x", x)], tmp_path / "out")
    with pytest.raises(InputError, match="different names"):
        run(x, f"x={x}", "-o", tmp_path / "out")
    with pytest.raises(OutputError, match=r"OUT\.bin"):
        pack_sets([Source("x", x)], tmp_path / "out.zip")
    with pytest.raises(InputError, match="leave layout and split out"):
        pack_sets([Source("x", x, split="train")], tmp_path / "out", PackPlan(backgrounds=True))
    with pytest.raises(InputError, match="one --licence for all"):
        run(x, "-o", tmp_path / "out", "--licence", "CC0", "--licence", "MIT")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_people_are_taken_out_of_their_places(tmp_path):
    truth = np.zeros((60, 80), np.uint8)
    truth[20:60, 30:50] = 255
    picture = np.full((60, 80, 3), (40, 120, 200), np.uint8)
    picture[truth > 0] = 255
    portraits(tmp_path / "set", "one", truth=truth, picture=picture)
    portraits(tmp_path / "full", "near", truth=np.full((60, 80), 255, np.uint8))
    sets = [Source("plates", tmp_path / "set"), Source("near", tmp_path / "full")]
    report = pack_sets(sets[:1], tmp_path / "places", PackPlan(backgrounds=True, emptied=["plates"]))
    ((entry, place),) = by_name(tmp_path / "places").values()
    assert report.counts["plates"] == 1 and entry.channels == 3
    assert np.abs(place.astype(int) - (40, 120, 200)).max() <= 1
    report = pack_sets(sets, tmp_path / "places", PackPlan(backgrounds=True, emptied=["plates", "near"]))
    assert [broken.name for broken in report.broken] == ["near/near"]
    for plan in (PackPlan(emptied=["plates"]), PackPlan(backgrounds=True, emptied=["nobody"])):
        with pytest.raises(InputError, match="backgrounds to empty"):
            pack_sets(sets, tmp_path / "none", plan)


def test_a_pack_goes_to_another_process_without_its_pixels(tmp_path):
    entry, pixels = (
        Entry("a", "set", "set/a", True, 64, 64, 3),
        np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3),
    )
    write_pack(tmp_path / "one", [(entry, pixels)])
    sent = pickle.dumps(Pack(tmp_path / "one", in_memory=True))
    assert len(sent) < 1000 < pixels.nbytes and (pickle.loads(sent)[0] == pixels).all()
