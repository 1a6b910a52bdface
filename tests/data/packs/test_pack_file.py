"""A pack's file gives back the pictures that were written into it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from koutu.data.packs.pack import Entry, Pack, write_pack


@pytest.fixture(scope="module")
def packs(tmp_path_factory) -> tuple[Pack, Pack]:
    """Six red discs as people, three green rooms."""
    folder, rng = tmp_path_factory.mktemp("packs"), np.random.default_rng(0)

    def person(i: int) -> tuple[Entry, np.ndarray]:
        rgba = rng.integers(0, 60, (120, 100, 4), np.uint8)
        rgba[..., 3] = 0
        cv2.circle(rgba, (50, 70), 35 + i, (250, 10, 10, 255), -1)
        return Entry(f"p{i}", "london" if i % 2 else "eg1800", f"g{i // 2}", True, 120, 100, 4), rgba

    def room(i: int) -> tuple[Entry, np.ndarray]:
        return Entry(f"r{i}", "rooms", f"r{i}", False, 90, 160, 3), np.full((90, 160, 3), (10, 200, 10), np.uint8)

    write_pack(folder / "people", (person(i) for i in range(6)))
    write_pack(folder / "rooms", (room(i) for i in range(3)))
    return Pack(folder / "people"), Pack(folder / "rooms", in_memory=True)


def test_a_pack_gives_back_what_was_written(packs):
    people, rooms = packs
    assert len(people) == 6 and people[3].shape == (120, 100, 4) and people.entries[3].group == "g1"
    assert (rooms[2] == (10, 200, 10)).all()
    with pytest.raises(ValueError, match="expected a pack index"):
        Pack(Path("nowhere"))
