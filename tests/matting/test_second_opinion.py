"""A second opinion: believed where it speaks of people, and nowhere else."""

import numpy as np
import pytest

from koutu.matting.matter import Matter
from koutu.matting.second_opinion import after_opinion
from koutu.media.image import read_image
from koutu.models.second_opinion import SIDE
from koutu.types import ModelError
from koutu.zoo import SAMPLE, load, load_opinion

SURE = 8.0


def plane(columns, size=(64, 64)):
    """Logits, or with a size of its own alpha's, of somebody who fills these columns of 64."""
    x = np.arange(size[1]) * 64 / size[1]
    return np.broadcast_to(np.where((x >= columns[0]) & (x < columns[1]), SURE, -SURE), size).astype(np.float32)


def alpha(columns, size=(48, 96)):
    return (plane(columns, size) > 0).astype(np.float32)


@pytest.mark.parametrize(
    "own, things, people, expected",
    [
        ((20, 40), (20, 40), (20, 40), (20, 40)),
        ((20, 40), (19, 40), (20, 40), None),  # a tuft that the coarse network does not know of
        ((20, 32), (20, 40), (20, 40), None),  # an arm that was missed
        ((20, 44), (20, 40), (20, 40), None),  # a thing that was taken along
        ((20, 40), (20, 64), (20, 40), (20, 40)),  # a bench
        ((20, 40), (50, 64), (20, 40), (20, 40)),  # a dog beside
        ((20, 40), (20, 30), (20, 40), (20, 40)),  # a face alone
        ((0, 0), (20, 40), (0, 0), (0, 0)),  # a thing, and nobody
    ],
)
def test_it_is_believed_where_it_speaks_of_people(own, things, people, expected):
    said = after_opinion(0.9 * alpha(own) + 0.05, plane(things), plane(people))
    where = alpha(things if expected is None else expected)
    wrong = (said > 0.5) != (where > 0.5)
    # doubt is left where alpha was sure of the opposite, and right beside an outline
    assert said.shape == where.shape and said.dtype == np.float32
    assert wrong.mean() <= (0.02 if expected is None else 0)


def test_other_planes_are_refused():
    with pytest.raises(ModelError, match="two squares"):
        after_opinion(alpha((20, 40)), plane((20, 40)), plane((20, 40), (64, 32)))


def test_the_packaged_one_knows_a_person():
    opinion = load_opinion(threads=1)
    things, people = opinion(read_image(SAMPLE / "lake.jpg"))
    assert things.shape == people.shape == (SIDE, SIDE) and things.dtype == np.float32
    assert (people > 0).mean() < 0.02


def test_videos_go_without():
    backend = load(threads=1)
    assert Matter(backend).opinion is None
    assert Matter(load("closed-form"), opinion=load_opinion(threads=1)).opinion is None
