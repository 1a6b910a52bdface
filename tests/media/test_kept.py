"""What a video says of itself is kept by `koutu video` and by `koutu live` alike: one table for both."""

from fractions import Fraction
from pathlib import Path

import av
import pytest
from support.backends import Everything
from support.live_parts import live_of
from support.media import make_clip

import koutu
from koutu.media.containers import EncodeOptions
from koutu.media.reader import open_video

CASES = {
    "square": {},
    "anamorphic": {"aspect": Fraction(64, 45)},
    "tall pixels": {"aspect": Fraction(1, 2)},
    "BT.601": {"tags": (6, 6, 6, 1)},
    "full range": {"tags": (1, 1, 1, 2), "pix_fmt": "yuvj420p"},
    "P3": {"tags": (12, 13, 1, 1)},
    "PQ": {"codec": "ffv1", "pix_fmt": "yuv420p10le", "tags": (9, 16, 9, 1)},
    "HLG": {"codec": "ffv1", "pix_fmt": "yuv420p10le", "tags": (9, 18, 9, 1)},
    "ten bits of SDR": {"codec": "ffv1", "pix_fmt": "yuv420p10le", "tags": (1, 1, 1, 1)},
    "titles": {"metadata": {"title": "Tuesday", "artist": "A. B."}},
}


def by_video(source: Path, target: Path) -> None:
    koutu.convert(
        source, target, background="blur", model=Everything(), refine=False, encode=EncodeOptions(preset="ultrafast")
    )


def by_live(source: Path, target: Path) -> None:
    assert not live_of(source, [str(target)], Everything()).run().errors


@pytest.mark.parametrize("door", [by_video, by_live])
@pytest.mark.parametrize("name", CASES)
def test_a_description_is_kept(name, door, tmp_path):
    clip = {"frames": 2, "tags": (1, 1, 1, 1)} | CASES[name]
    source, target = make_clip(tmp_path / "in.mkv", **clip), tmp_path / "out.mkv"
    door(source, target)
    with open_video(source) as before, open_video(target) as after:
        assert after.pixel_aspect == before.pixel_aspect and after.size == before.size
        assert (after.tags, after.space) == (before.tags, before.space)
        assert after.depth == (10 if before.viewing.transfer != "sdr" else 8)
    with av.open(str(target)) as container:
        kept = {key.lower(): text for key, text in container.metadata.items()}
    assert clip.get("metadata", {}).items() <= kept.items()
