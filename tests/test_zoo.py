"""Packaged weights in half floats stand beside the same in float32, and say nearly the same."""

import numpy as np
import pytest

from koutu.export.subject import subject
from koutu.matting.matter import Matter
from koutu.media.reader import open_video
from koutu.types import ModelError
from koutu.zoo import MODELS, SAMPLE, load, packaged

SMALLER = [name for name, card in MODELS.items() if card.float32]


@pytest.fixture(scope="module")
def frames():
    with open_video(SAMPLE / "talk.mp4") as video:
        return [frame for frame, _ in zip(video, range(4), strict=False)]


@pytest.mark.parametrize("name", SMALLER)
def test_smaller_weights_say_nearly_the_same(name, frames):
    card = MODELS[name]
    assert (
        packaged(name).stat().st_size < packaged(card.float32).stat().st_size
        and card.licence == MODELS[card.float32].licence
    )
    ours, whole = (Matter(load(model, threads=1), solve=False) for model in (name, card.float32))
    differences = [
        np.abs(ours(frame).alpha.astype(float) - whole(frame).alpha).mean() / 255 for frame in frames
    ]  # frames after the first have the networks' own memories
    assert 0 < max(differences) < 0.0005


def test_they_are_exported_from_the_whole_ones():
    with pytest.raises(ModelError, match="koutu with --precision fp16"):
        subject("koutu-fp16", None, {})
