"""The part of a frame that the network is shown: it holds everybody, and nobody who comes in is missed for long."""

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest

from koutu.color import rgb_to_yuv
from koutu.engines.backend import Backend
from koutu.engines.stabilise import SteadyBackend
from koutu.matting.matter import Matter
from koutu.matting.zoom import (
    AGAIN,
    LEAST,
    PATIENCE,
    ROOM,
    SOONEST,
    WORTH,
    bounds,
    cropped,
    part_of,
    pasted,
    seen_from,
    whole,
)
from koutu.types import Frame

SIZE = (480, 800)


class Bright(Backend):
    """A network that takes what is bright for somebody, and keeps what it was shown."""

    name, can_recall, states = "bright", True, {"prev": "pha"}

    def __init__(self):
        self.shown: list[np.ndarray] = []
        self.recalls: list[np.ndarray] = []

    def network_size(self, size):
        return 96, round(96 * size[1] / size[0])

    def initial_state(self, size):
        return {"prev": np.zeros((1, 1, *size), np.float32)}

    def recalled(self, rgb, pha):
        assert rgb.shape[:2] == pha.shape
        self.recalls.append(pha)
        return {"prev": pha[None, None]}

    def __call__(self, rgb, state, **hints) -> Any:
        assert state["prev"].shape[2:] == rgb.shape[:2]
        self.shown.append(rgb)
        pha = np.clip((rgb[..., 1].astype(np.float32) - 100) / 100, 0, 1)
        return None, pha, {"prev": pha[None, None]}


def room(*people: tuple[int, int, int, int], size=SIZE) -> np.ndarray:
    """A dim room with bright rectangles (top, bottom, left, right) in it."""
    rgb = np.full((*size, 3), 40, np.uint8)
    for top, bottom, left, right in people:
        rgb[top:bottom, left:right] = 220
    return rgb


def film(*rooms: np.ndarray) -> list[Frame]:
    return [Frame(rgb_to_yuv(rgb), t, Fraction(1, 25)) for t, rgb in enumerate(rooms)]


def box_of(matter: Matter) -> Any:
    return matter._zoom.box


SOMEBODY, NEWCOMER = (160, 440, 300, 420), (200, 460, 20, 110)


@pytest.mark.parametrize("wrapped", [lambda network: network, SteadyBackend])
def test_a_first_frame_is_seen_whole_and_then_where_somebody_is(wrapped):
    network = Bright()
    matter = Matter(wrapped(network))
    alpha = matter(film(room(SOMEBODY))[0]).alpha
    box = box_of(matter)
    assert box is not None and len(network.shown) == 2
    rows, columns = box
    assert rows.start < 160 - 0.1 * 280 and columns.stop > 420 + 0.1 * 120 and rows.stop == 480
    first, last = network.shown
    assert last[..., 1].mean() > 1.5 * first[..., 1].mean()  # somebody fills more of it
    expected = np.zeros(SIZE, bool)
    expected[160:440, 300:420] = True
    assert ((alpha > 127) != expected).mean() < 0.003 and not alpha[:, : columns.start].any()


def test_without_zoom_or_a_memory_to_bring_along_all_is_seen():
    network = Bright()
    Matter(network, zoom=False)(film(room(SOMEBODY))[0])
    forgetful = Bright()
    forgetful.can_recall = False
    Matter(forgetful)(film(room(SOMEBODY))[0])
    assert len(network.shown) == len(forgetful.shown) == 2


def test_the_part_stays_where_it_is_and_follows_who_would_leave_it():
    matter, boxes = Matter(Bright()), []
    for shot in film(*[room((160, 440, 300 + x, 420 + x)) for x in range(0, 200, 4)]):
        matte = matter(shot)
        boxes.append(box_of(matter))
        left = 300 + 4 * (len(boxes) - 1)
        assert matte.alpha[200:400, left + 8 : left + 112].min() > 200
    assert None not in boxes and 1 < len(set(map(str, boxes))) < 8


@pytest.mark.parametrize("still", [True, False])
def test_who_comes_in_outside_of_the_part_is_seen_soon(still):
    matter, quiet = Matter(Bright()), [room(SOMEBODY)] * 3
    found = [
        matter(shot).alpha[300, 60] > 127
        for shot in film(*quiet, *[room(SOMEBODY, NEWCOMER) + (0 if still else t % 2) for t in range(AGAIN + 2)])
    ]
    assert found[-1] and found.index(True) <= 3 + SOONEST  # it stirred the picture
    assert box_of(matter) is None or box_of(matter)[1].start < 20


def test_the_whole_frame_is_looked_at_now_and_then_though_nothing_stirs():
    network = Bright()
    matter = Matter(network)
    for shot in film(*[room(SOMEBODY)] * (2 * AGAIN + 3)):
        matter(shot)
    wide = network.network_size(SIZE)[1]
    assert sum(rgb.shape[1] == wide for rgb in network.shown) == 1 + 2  # the first frame's first look, and two later


def test_when_everybody_left_the_whole_frame_is_seen():
    matter = Matter(Bright())
    alphas = [matter(shot).alpha for shot in film(room(SOMEBODY), room(SOMEBODY), room(), room())]
    assert box_of(matter) is None and not alphas[-1].any()


def test_people_who_need_less_room_get_a_smaller_part_after_a_while():
    matter, large = Matter(Bright()), (60, 470, 200, 500)
    for shot in film(room(large), *[room(SOMEBODY)] * (PATIENCE + 1)):
        matter(shot)
    fewer = Matter(Bright())
    fewer(film(room(SOMEBODY))[0])
    assert box_of(fewer) == box_of(matter) is not None


def test_a_correction_may_lie_anywhere_and_is_carried_on_the_whole_frame():
    matter = Matter(Bright())
    matter(film(room(SOMEBODY))[0])
    mask = np.full(SIZE, 128, np.uint8)
    mask[20:120, 600:760] = 255
    assert matter.correct(mask).alpha[60, 700] == 255 and box_of(matter) is None
    later = matter(film(room(SOMEBODY), room(SOMEBODY))[1])
    assert later.alpha[60, 700] > 200 and later.alpha[300, 360] > 200


def test_parts_hold_people_with_room_and_are_worth_it():
    assert part_of(None, SIZE) is None and part_of((0, 480, 100, 700), SIZE) is None
    box = part_of((100, 110, 790, 800), SIZE)
    assert box is not None
    rows, columns = box
    assert min(rows.stop - rows.start, columns.stop - columns.start) >= LEAST and columns.stop == 800
    for seed in range(40):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(50, 900)), int(rng.integers(50, 900))
        ys, xs = np.sort(rng.uniform(0, size[0], 2)), np.sort(rng.uniform(0, size[1], 2))
        box = part_of((*ys, *xs), size)
        if box is None:
            continue
        rows, columns = box
        assert rows.start % 2 == columns.start % 2 == 0 and rows.start >= 0 and rows.stop <= size[0]
        assert rows.start <= max(0, ys[0] - ROOM * (ys[1] - ys[0]) + 2) and columns.stop >= min(size[1], xs[1])
        assert (rows.stop - rows.start) * (columns.stop - columns.start) < WORTH * size[0] * size[1]


def test_where_people_are_is_told_in_pixels_of_the_frame_without_specks():
    found = np.zeros((96, 160), np.float32)
    assert bounds(found, whole(SIZE)) is None
    found[40:80, 60:90] = 1
    found[2, 2] = 1
    people = bounds(found, (slice(100, 340), slice(200, 600)))  # 2.5 pixels to each of alpha
    assert people is not None and np.allclose(people, (200, 300, 350, 425), atol=8)


@pytest.mark.parametrize("shape", [(481, 801), (480, 800)])
@pytest.mark.parametrize("planar", [True, False])
def test_alpha_and_colours_go_from_part_to_part_without_a_shift(shape, planar):
    ramp = np.add.outer(np.arange(shape[0]), np.arange(shape[1])).astype(np.float32) / 1400
    rgb = np.dstack([np.uint8(np.rint(255 * ramp))] * 3)
    frame = Frame(rgb_to_yuv(rgb) if planar else rgb)
    was, box = (slice(100, 400), slice(200, 620)), (slice(150, 360), slice(260, 500))
    pha = cv2.resize(ramp[was], (140, 100), interpolation=cv2.INTER_AREA)
    moved, seen = seen_from(pha, frame, was, box, (70, 80))
    assert moved.shape == (70, 80) and np.abs(moved - seen[..., 1] / 255).max() < 0.012
    assert cropped(frame, box).size == (210, 240) and cropped(frame, None) is frame
    back = pasted(np.full((210, 240), 9, np.uint8), box, shape)
    assert back.sum() == 9 * 210 * 240 and back[150, 260] == 9 and back.shape == shape
