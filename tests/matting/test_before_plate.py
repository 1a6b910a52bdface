"""A plate beside a network that knows nothing of plates: its mistakes go, and a plate of another place does no harm."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.backends import Everything
from support.walkers import composed, person, room, walk

from koutu.matting.hints import Hints
from koutu.matting.known_plate import Plate, whole_plate
from koutu.matting.matter import Matter
from koutu.matting.plate_search import sought_plate
from koutu.matting.plated import AGAIN, Plated
from koutu.metrics import mad
from koutu.types import Frame, InputError

PLACES: list[float | None] = [60.0, 64.0, 68.0]
Bytes = NDArray[Any]


def mistaken(alpha: Bytes) -> NDArray[np.float32]:
    """What a network might say: too soft, a pixel beside, and a piece of the wall taken along."""
    pha = np.asarray(cv2.GaussianBlur(np.roll(alpha, 1, axis=1), (0, 0), 2) / 255, np.float32)
    pha[10:34, 100:130] = 0.97
    return pha


def plated(plate: Bytes | Plate, **options: Any) -> Plated:
    known = plate if isinstance(plate, Plate) else whole_plate(plate)
    return Plated(lambda frame, size: known.resized(size), **options)


def errors(step: Plated, shown: list[tuple[Bytes, Bytes]]) -> tuple[float, float]:
    """Of the network's alphas, and of those before the plate."""
    own = [mistaken(alpha) for _, alpha in shown]
    better = [step(pha, rgb, Frame(rgb), at == 0) for at, (pha, (rgb, _)) in enumerate(zip(own, shown, strict=True))]
    truths = [alpha / 255 for _, alpha in shown]
    before, after = (float(np.mean([mad(x, t) for x, t in zip(kind, truths, strict=True)])) for kind in (own, better))
    return before, after


@pytest.mark.parametrize(("shift", "light"), [((0.0, 0.0), 1.0), ((0.0, 0.0), 0.85), ((2.6, -1.4), 0.93)])
def test_a_plate_halves_the_error(shift, light):
    shown = walk(PLACES)
    moved = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    plate = cv2.warpAffine(room(), moved, room().shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    noise = np.random.default_rng(9).normal(0, 1.5, plate.shape)
    step = plated(np.clip(plate * light + noise, 0, 255).astype(np.uint8))
    own, better = errors(step, shown)
    assert better < 0.5 * own and step.notes() == [] and step.used == len(shown)


def test_a_shadow_is_background():
    rgb, alpha = person(60.0)
    wall = room().astype(np.float32)
    wall[:, 85:] *= cv2.GaussianBlur(np.tile(np.linspace(0.6, 1, 59), (96, 1)), (0, 0), 3)[..., None]
    step = plated(room())
    frame = composed(rgb, alpha, wall)
    doubtful = np.maximum(alpha / np.float32(255), 0.4 * (np.arange(144) > 88)).astype(np.float32)
    assert step(doubtful, frame, Frame(frame), True)[:, 90:].max() < 0.1


def test_a_plate_of_another_place_is_told_and_not_used():
    shown = walk([60.0] * 3)
    step = plated(room(seed=77))
    for at, (rgb, alpha) in enumerate(shown):
        pha = mistaken(alpha)
        assert step(pha, rgb, Frame(rgb), at == 0) is pha
    (note,) = step.notes()
    assert "the plate was not used: expected the background" in note and "%" in note
    rgb, alpha = shown[0]
    again = plated(room())
    step._plate_of = again._plate_of  # the camera comes to where the plate was taken
    for _ in range(AGAIN):
        step(mistaken(alpha), rgb, Frame(rgb), False)
    assert step.used and "left out there" in step.notes()[0]


def test_what_of_a_plate_is_not_known_proves_nothing():
    (rgb, alpha), *_ = walk([60.0])
    seen = np.ones(alpha.shape, bool)
    seen[:, 95:] = False
    whole, part = whole_plate(room()), whole_plate(room())
    found = [
        plated(plate)(mistaken(alpha), rgb, Frame(rgb), True)
        for plate in (whole, Plate(part.colours, part.noise, seen))
    ]
    assert found[0][12:30, 105:125].max() < 0.1 and found[1][12:30, 105:125].min() > 0.9


def test_a_plate_is_found_where_people_were_not():
    class Dark(Everything):
        def __call__(self, rgb, state, **hints):
            return None, cv2.blur((rgb[..., 1] < 45).astype(np.float32), (3, 3)), state

    shown = walk([10.0, 40.0, 70.0, 100.0, 130.0] * 3)
    plate = sought_plate((Frame(rgb) for rgb, _ in shown), Dark(), "walk")
    assert plate.seen.mean() > 0.9 and np.abs(plate.rgb[plate.seen].astype(int) - room()[plate.seen]).mean() < 2
    with pytest.raises(InputError, match="stands still"):
        sought_plate((Frame(rgb) for rgb, _ in walk([60.0] * 6, room() // 8)), Dark(), "walk")
    with pytest.raises(InputError, match="as a whole"):
        Matter(Dark(), hints=Hints(plate="auto"))


def test_a_matter_uses_the_plate_of_its_hints():
    (rgb, _), *_ = walk([60.0])
    alpha = Matter(Everything(), hints=Hints(plate=room())).__call__(rgb).alpha
    assert alpha.min() == 255  # nothing is free of people: nothing tells whether it is the right plate
    matter = Matter(Everything(0), hints=Hints(plate=room()))
    matter(rgb)
    assert matter.plated is not None and matter.plated.used == 1
    networks_own = Everything()
    networks_own.needs = ("bgr",)
    assert Matter(networks_own, hints=Hints(plate=room())).plated is None
