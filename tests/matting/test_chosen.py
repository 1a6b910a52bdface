"""Of several people some stay: told apart, followed while they move and touch, lost and found again."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from koutu.matting.chosen import Chosen
from koutu.matting.matte import Matte
from koutu.matting.people import PersonAt, parse_person
from koutu.types import Frame, InputError

RED, BLUE, GREEN = (220, 30, 30), (40, 60, 220), (30, 200, 60)
SIZE = (120, 200)
Place = tuple[tuple[int, int], tuple[int, int, int]]


def shown(number: int, *people: Place, fresh: bool = False, alpha: np.ndarray | None = None) -> Matte:
    """A frame of discs, ten a second; they are the people."""
    rgb, seen = np.full((*SIZE, 3), 90, np.uint8), np.zeros(SIZE, np.uint8)
    for (x, y), colour in people:
        cv2.circle(rgb, (x, y), 20, colour, -1)
        cv2.circle(seen, (x, y), 20, 255, -1)
    return Matte(Frame(rgb, number, Fraction(1, 10), alpha), cv2.blur(seen, (3, 3)), fresh)


def who(matte: Matte) -> list[str]:
    """Whose middle is still opaque, by colour."""
    names = {RED: "red", BLUE: "blue", GREEN: "green"}
    seen = {name: matte.alpha[(matte.frame.picture == colour).all(-1)] > 200 for colour, name in names.items()}  # type: ignore[union-attr]
    return [name for name, pixels in seen.items() if pixels.sum() > 600]


@pytest.mark.parametrize(
    ("asked", "stays"),
    [
        ({"only_person": 1}, ["blue"]),
        ({"only_person": 2}, ["red"]),
        ({"keep": [PersonAt(150, 60)]}, ["red"]),
        ({"keep": [PersonAt(50, 83)]}, ["blue"]),  # a little beside
        ({"keep": [PersonAt(150, 60), PersonAt(50, 60)]}, ["red", "blue"]),
        ({"keep": [PersonAt(150, 60, 0.2), PersonAt(145, 60, 0.2)]}, ["red"]),
        ({}, ["red", "blue"]),
    ],
)
def test_who_stays_while_all_move(asked, stays):
    chosen = Chosen(**asked)
    given = [shown(t, ((50 + 4 * t, 60), BLUE), ((150, 60 - 3 * t), RED)) for t in range(6)]
    found = [chosen(matte) for matte in given]
    assert [who(matte) for matte in found[2:]] == [stays] * 4
    chosen.require_met()
    for before, after in zip(given, found, strict=True):
        kept = after.alpha > 0
        assert np.array_equal(after.alpha[kept], before.alpha[kept])  # nobody's edge is changed
        assert np.array_equal(after.mixed, before.alpha)
    assert all("until" in note for note in chosen.notes())


def test_people_who_touch_are_parted_as_they_stood():
    chosen = Chosen([PersonAt(50, 60)])
    for t in range(12):  # blue comes up to red and goes back
        x = 50 + 6 * min(t, 11 - t)
        matte = chosen(shown(t, ((x, 60), BLUE), ((105, 60), RED)))
        assert who(matte) == ["blue"]
        assert (matte.alpha[:, 110:] > 128).sum() == 0
    assert chosen.notes() == []


def test_lost_and_found_again_by_colours():
    chosen = Chosen([PersonAt(50, 60)])
    assert who(chosen(shown(0, ((50, 60), BLUE), ((150, 60), RED)))) == ["blue"]
    assert who(chosen(shown(1, ((150, 60), RED)))) == []
    assert who(chosen(shown(2, ((150, 60), RED), ((60, 60), GREEN)))) == []  # somebody else comes to their place
    assert who(chosen(shown(3, ((150, 60), RED), ((60, 60), GREEN), ((20, 20), BLUE)))) == ["blue"]
    assert who(chosen(shown(4, ((60, 60), BLUE), ((150, 90), GREEN), fresh=True))) == ["blue"]  # a cut
    assert who(chosen(shown(5, ((60, 60), RED), fresh=True))) == []
    assert chosen.notes() == [
        "the person who stays was lost at 0.10 s and found again at 0.30 s",
        "the person who stays was lost at 0.50 s and not found again",
    ]


def test_from_their_moment_on():
    chosen = Chosen([PersonAt(150, 60, 0.2)])
    people = ((50, 60), BLUE), ((150, 60), RED)
    assert [who(chosen(shown(t, *people))) for t in range(3)] == [["red", "blue"], ["red", "blue"], ["red"]]
    assert chosen.notes() == ["everybody stays until 0.20 s, where the first person was chosen"]


def test_what_was_cut_away_before_stays_away():
    half = np.full(SIZE, 128, np.uint8)
    given = shown(0, ((50, 60), BLUE), ((150, 60), RED), alpha=half)
    given = Matte(given.frame, (given.alpha // 2).astype(np.uint8), found=given.alpha)
    found = Chosen(only_person=1)(given)
    assert np.array_equal(found.alpha[:, :100], given.alpha[:, :100]) and found.alpha[:, 110:].max() == 0


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"keep": [PersonAt(100, 10)]}, "found nobody there; there are 50,60 150,60"),
        ({"keep": [PersonAt(300, 10)]}, "within 200×120"),
        ({"keep": [PersonAt(50, 60, 7)]}, "got 7 s, and its last frame is at 0.00 s"),
        ({"only_person": 3}, "expected 3 people or more in one frame, found 2 at most"),
        ({"only_person": 0}, "the leftmost is 1"),
        ({"keep": [PersonAt(50, 60)], "only_person": 1}, "got both"),
    ],
)
def test_what_cannot_be_chosen(asked, words):
    with pytest.raises(InputError, match=words):
        chosen = Chosen(**asked)
        chosen(shown(0, ((50, 60), BLUE), ((150, 60), RED)))
        chosen.require_met()


def test_the_second_from_the_left_when_there_are_two():
    chosen = Chosen(only_person=2)
    given = [
        shown(0),
        shown(1, ((150, 60), RED)),
        shown(2, ((150, 60), RED), ((50, 60), BLUE)),
        shown(3, ((150, 60), RED)),
    ]
    assert [who(chosen(matte)) for matte in given] == [[], ["red"], ["red"], ["red"]]
    chosen.require_met()
    assert chosen.notes() == ["everybody stays until 0.20 s, where the first person was chosen"]


def test_points_in_words():
    assert parse_person("320,200@1.5") == PersonAt(320, 200, 1.5)
    assert parse_person(" 3,4") == PersonAt(3, 4)
    for text in ("", "3", "3,4,5", "3,4@x", "-3,4", "nan,4", "3,4@-1"):
        with pytest.raises(InputError, match=r"320,200@1\.5"):
            parse_person(text)
