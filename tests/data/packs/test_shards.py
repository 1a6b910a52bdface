"""A pack in shards is one pack: nothing is cut apart, half a pack is named, and no earlier files are left."""

import itertools
import json
import os
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest

from koutu.data.packs.pack import Entry, Pack, write_pack
from koutu.types import InputError, OutputError

SIDE = 250  # 250 000 bytes an image: four a shard of one megabyte


def picture(name: str, group: str, value: int, *, frame: int = -1):
    return Entry(name, "s", group, True, SIDE, SIDE, 4, frame=frame), np.full((SIDE, SIDE, 4), value, np.uint8)


def stills(count: int, first: int = 0):
    return [picture(f"p{i}", f"g{i}", i) for i in range(first, first + count)]


def names(folder) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_shards_are_one_pack(tmp_path):
    clip = [picture(f"clip/{t}", "clip", 50 + t, frame=t) for t in range(3)]
    write_pack(tmp_path / "whole", [*stills(2), *clip, *stills(4, 2)])
    assert write_pack(tmp_path / "people", [*stills(2), *clip, *stills(4, 2)], shard_mb=1) == 9
    assert names(tmp_path)[:6] == [f"people-00{n}.{end}" for n in range(3) for end in ("bin", "json")]
    assert [(tmp_path / f"people-00{n}.bin").stat().st_size // 250_000 for n in range(3)] == [2, 4, 3]  # the clip whole
    whole = Pack(tmp_path / "whole")
    for pack in (Pack(tmp_path / "people"), Pack(tmp_path / "people.bin", in_memory=True)):
        assert [replace(e, offset=0) for e in pack.entries] == [replace(e, offset=0) for e in whole.entries]
        assert all((pack[i] == whole[i]).all() for i in (*range(9), -1))
        assert [pack.clip(i) for i in (1, 2, 4, 5)] == [range(1, 2), range(2, 5), range(2, 5), range(5, 6)]
        sent = pickle.dumps(pack)
        assert len(sent) < 1000 and (pickle.loads(sent)[8] == whole[8]).all()
    with pytest.raises(IndexError):
        Pack(tmp_path / "people")[9]


def test_a_group_is_never_cut_apart(tmp_path):
    group = [picture(f"f{i}", "crowd", i) for i in range(5)]
    with pytest.raises(InputError, match=r"groups of 1 MB at most.*got over 1.2 MB of crowd; allow larger shards"):
        write_pack(tmp_path / "people", group, shard_mb=1)
    with pytest.raises(InputError, match="pictures of g0 one after another"):
        write_pack(tmp_path / "people", [*stills(2), *stills(1)], shard_mb=1)
    assert not names(tmp_path)


def test_half_a_pack_is_named(tmp_path):
    write_pack(tmp_path / "people", stills(9), shard_mb=1)
    kept = shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-kept")
    one = tmp_path / "people-001.json"
    for spoil, told in (
        (one.unlink, r"expected 3 shards, got 2, without people-001; copy"),
        (lambda: one.write_bytes(b""), r"without people-001"),
        (lambda: one.write_bytes(one.read_bytes()[:500]), r"people-001.json: expected the index of a pack"),
        (lambda: one.write_text('{"pack": "ab", "shard": 1}'), r"people-001.json: expected the index of a shard"),
        (lambda: one.with_suffix(".bin").unlink(), r"people-001.bin: expected the 1000000 bytes of its index, got 0"),
        (lambda: one.with_suffix(".bin").write_bytes(b"x"), r"people-001.bin: expected the 1000000 bytes"),
        (
            lambda: one.rename(tmp_path / "people-007.json"),
            r"people-007.json: expected the shard of its name, got .* 1",
        ),
    ):
        spoil()
        with pytest.raises(InputError, match=told):
            Pack(tmp_path / "people")
        (tmp_path / "people-007.json").unlink(missing_ok=True)
        shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    with pytest.raises(InputError, match=r"got a shard of one; name .*people$"):
        Pack(tmp_path / "people-001")
    assert len(Pack(tmp_path / "people")) == 9


def test_shards_of_two_packs_are_not_mixed(tmp_path):
    write_pack(tmp_path / "people", stills(9), shard_mb=1)
    write_pack(tmp_path / "other", stills(9, 1), shard_mb=1)
    for end in ("bin", "json"):
        shutil.copy(tmp_path / f"other-002.{end}", tmp_path / f"people-002.{end}")
    with pytest.raises(InputError, match=r"people-002.json: expected a shard of the same pack as people-000.json"):
        Pack(tmp_path / "people")
    write_pack(tmp_path / "whole", stills(1))
    for end in ("bin", "json"):
        shutil.copy(tmp_path / f"whole.{end}", tmp_path / f"other.{end}")
    with pytest.raises(InputError, match=r"expected one pack, got .*other.json and other-000.json; remove"):
        Pack(tmp_path / "other")


def test_a_pack_replaces_one_of_its_name_in_any_form(tmp_path):
    write_pack(tmp_path / "p", stills(9), shard_mb=1)
    write_pack(tmp_path / "p", stills(5), shard_mb=1)
    assert names(tmp_path) == ["p-000.bin", "p-000.json", "p-001.bin", "p-001.json"] and len(Pack(tmp_path / "p")) == 5
    write_pack(tmp_path / "p", stills(2))
    assert names(tmp_path) == ["p.bin", "p.json"] and len(Pack(tmp_path / "p")) == 2
    write_pack(tmp_path / "p", stills(5), shard_mb=1)
    assert names(tmp_path) == ["p-000.bin", "p-000.json", "p-001.bin", "p-001.json"] and len(Pack(tmp_path / "p")) == 5


def test_packs_with_names_like_shards_are_packs_of_their_own(tmp_path):
    write_pack(tmp_path / "people-2024", stills(1))
    write_pack(tmp_path / "people", stills(2))
    assert len(Pack(tmp_path / "people-2024")) == 1 and len(Pack(tmp_path / "people")) == 2
    with pytest.raises(OutputError, match=r"shards to be free, got .*people-2024.json, no shard"):
        write_pack(tmp_path / "people", stills(2), shard_mb=1)
    write_pack(tmp_path / "new", stills(2), shard_mb=1)
    with pytest.raises(OutputError, match=r"got .*new-000.json, a shard of another"):
        write_pack(tmp_path / "new-000", stills(1))
    assert len(Pack(tmp_path / "people-2024")) == 1 and len(Pack(tmp_path / "new")) == 2


@pytest.mark.parametrize(
    ("name", "shard_mb", "told"),
    [
        ("p.json", 0, r"got .*p.json, no index of one"),
        ("p.json", 1, r"got .*p.json, no index of one"),
        ("p.bin", 0, r"got .*p.bin without an index"),
        ("p.bin", 1, r"got .*p.bin without an index"),
        ("p-000.bin", 1, r"got .*p-000.bin without an index"),
        ("p-012.bin", 1, r"got .*p-012.bin without an index"),
        ("p-012.json", 1, r"got .*p-012.json, no shard"),
        ("p-000.bin", 0, ""),  # in nobody's way
        ("p-000.json", 0, ""),
    ],
)
def test_files_that_are_no_pack_stay(tmp_path, name, shard_mb, told):
    (tmp_path / name).write_text('[{"title": "mine"}]')
    if told:
        with pytest.raises(OutputError, match=rf"{told}.*choose another name"):
            write_pack(tmp_path / "p", stills(2), shard_mb=shard_mb)
        assert names(tmp_path) == [name]
    else:
        write_pack(tmp_path / "p", stills(2), shard_mb=shard_mb)
    assert (tmp_path / name).read_text() == '[{"title": "mine"}]'


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt(), SystemExit(143)])
def test_shards_are_whole_or_as_they_were(tmp_path, fault):
    def pictures():
        yield from stills(7)
        raise fault

    write_pack(tmp_path / "p", stills(9), shard_mb=1, card=lambda parts: f"{len(parts)} shards")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(OutputError if isinstance(fault, OSError) else type(fault)):
        write_pack(tmp_path / "p", pictures(), shard_mb=1)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def failing(wanted: int, done: bool, fault: BaseException):
    """os.replace of which one call fails, before it is done or after."""
    replaced, calls = os.replace, itertools.count(1)

    def replace_or_fail(*paths):
        now = next(calls) == wanted
        if done or not now:
            replaced(*paths)
        if now:
            raise fault

    return replace_or_fail


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("fault", [OSError(5, "Input/output error"), KeyboardInterrupt(), SystemExit(143)])
@pytest.mark.parametrize(("old_mb", "new_mb"), [(0, 0), (1, 1), (1, 0), (0, 1)])
def test_what_ends_the_last_moves_leaves_the_old_pack(tmp_path, monkeypatch, done, fault, old_mb, new_mb):
    write_pack(tmp_path / "p", stills(9), shard_mb=old_mb, card=lambda parts: "old")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    for wanted in range(1, 7):  # six moves are the fewest
        with monkeypatch.context() as broken:
            broken.setattr("os.replace", failing(wanted, done, fault))
            with pytest.raises(OutputError if isinstance(fault, OSError) else type(fault)):
                write_pack(tmp_path / "p", stills(5, 1), shard_mb=new_mb, card=lambda parts: "new")
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    write_pack(tmp_path / "p", stills(5, 1), shard_mb=new_mb, card=lambda parts: "new")
    assert len(Pack(tmp_path / "p")) == 5


def test_what_is_packed_twice_is_the_same_to_the_bit(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_pack(tmp_path / name / "p", stills(5), shard_mb=1)
    for file in names(tmp_path / "a"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert json.loads((tmp_path / "a/p-001.json").read_text())["of"] == 2
