"""Whom to believe about colours, and what is damage in a transport stream and what a joint."""

import av
import numpy as np
import pytest
from support.media import make_clip

from koutu.media.colours import Told, colours_of
from koutu.media.containers import ColorTags
from koutu.media.reader import open_video
from koutu.types import ColorSpace

FULL_709, LIMITED_601 = ColorTags(1, 1, 1, 2), ColorTags(6, 6, 6, 1)


@pytest.mark.parametrize(
    ("codec", "told", "decoded", "expected"),
    [
        ("vp8", FULL_709, ColorTags(2, 2, 5, 1), FULL_709),  # as browsers record
        ("vp8", ColorTags(), ColorTags(2, 2, 5, 1), ColorTags(2, 2, 5, 1)),
        ("vp9", ColorTags(9, 16, 2, 0), ColorTags(2, 2, 9, 1), ColorTags(9, 16, 9, 1)),
        ("vp9", FULL_709, ColorTags(2, 2, 5, 1), FULL_709),
        ("h264", FULL_709, LIMITED_601, LIMITED_601),
        ("hevc", FULL_709, ColorTags(), FULL_709),
        ("prores", ColorTags(1, 1, 1, 0), ColorTags(2, 2, 2, 1), ColorTags(1, 1, 1, 1)),
    ],
)
def test_codec_decides_who_is_believed(codec, told, decoded, expected):
    frame = av.VideoFrame(64, 48, "yuv420p")
    frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = decoded
    assert colours_of(frame, Told(codec, told))[0] == expected


@pytest.mark.parametrize(("codec", "ending"), [("libvpx", "webm"), ("libvpx", "mkv"), ("libvpx-vp9", "webm")])
def test_a_recording_of_a_browser(codec, ending, tmp_path):
    path = make_clip(tmp_path / f"a.{ending}", codec=codec, tags=FULL_709, frames=2)
    with open_video(path) as reader:
        assert reader.space == ColorSpace("bt709", True) and reader.tags == FULL_709
        picture = next(reader).picture
    assert not isinstance(picture, np.ndarray) and picture.space == ColorSpace("bt709", True)


def test_joined_transport_streams_are_whole_and_lost_packets_are_not(tmp_path):
    options = {"preset": "ultrafast", "qp": "20"}
    pieces = [make_clip(tmp_path / f"{i}.ts", frames=25, options=options).read_bytes() for i in (0, 1)]
    (tmp_path / "joined.ts").write_bytes(b"".join(pieces))
    with open_video(tmp_path / "joined.ts") as reader:
        assert len(list(reader)) == 50 and str(reader.lost) == ""
    packets = [pieces[0][at : at + 188] for at in range(0, len(pieces[0]), 188)]
    middle = len(packets) // 2
    (tmp_path / "torn.ts").write_bytes(b"".join(packets[:middle] + packets[middle + 4 :]))
    with open_video(tmp_path / "torn.ts") as reader:
        list(reader)
        assert reader.lost
