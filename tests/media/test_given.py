"""Pictures as programs hold them: paths, Pillow's, arrays, tensors; what is none is told."""

import numpy as np
import pytest
from PIL import Image
from support.backends import Everything

import koutu
from koutu.color import to_rgb
from koutu.matting.matter import Matter
from koutu.media.given import frame_of
from koutu.types import InputError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.full((4, 6), 90, np.uint8), (90, 90, 90)),
        (np.full((4, 6, 1), 90, np.uint8), (90, 90, 90)),
        (np.full((4, 6, 3), (10, 20, 30), np.uint8), (10, 20, 30)),
        (np.full((4, 6, 3), (10, 20, 30), np.float32) / 255, (10, 20, 30)),
        (np.full((1, 4, 6, 3), (10, 20, 30), np.float64) / 255, (10, 20, 30)),
        (np.full((4, 6, 3), (10, 20, 30), np.uint16) * np.uint16(257), (10, 20, 30)),
        (np.full((4, 6, 3), (10, 20, 30), np.uint8).transpose(2, 0, 1), (10, 20, 30)),
        (np.full((4, 6), True), (255, 255, 255)),
        (Image.new("L", (6, 4), 90), (90, 90, 90)),
        (Image.new("CMYK", (6, 4)), (255, 255, 255)),
        (Image.new("LA", (6, 4), (90, 255)).convert("La"), (90, 90, 90)),
    ],
)
def test_any_kind_of_picture_is_a_frame(given, expected):
    frame = frame_of(given)
    assert frame.size == (4, 6) and frame.alpha is None and tuple(to_rgb(frame.picture)[1, 1]) == expected


def test_tensors_and_bgr():
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([[10, 20, 30, 128]], dtype=torch.uint8).reshape(4, 1, 1).expand(4, 5, 7)
    for given in (tensor, tensor[None], tensor.float().requires_grad_() / 255, tensor.bfloat16() / 255):
        frame = frame_of(given, channels="bgr")
        assert frame.size == (5, 7) and frame.alpha is not None and frame.alpha[0, 0] == 128
        assert np.abs(to_rgb(frame.picture)[0, 0].astype(int) - (30, 20, 10)).max() <= 1
    with pytest.raises(InputError, match=r"got Tensor .*convert it to NumPy"):
        frame_of(torch.empty(3, 4, 6, device="meta"))


def closed() -> Image.Image:
    image = Image.new("RGB", (6, 4))
    image.close()
    return image


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([np.zeros((4, 4, 3), np.uint8)], "got list; call it once for each"),
        (np.zeros((2, 4, 4, 3), np.uint8), "call it once for each picture"),
        (np.full((4, 4, 3), 255.0), "floats from 0 to 1, got 255 … 255; divide by 255"),
        (np.full((4, 4, 3), np.nan), "floats from 0 to 1, got nan"),
        (np.zeros((4, 4, 3), np.int64), "got int64; convert it"),
        (np.zeros((4, 4, 2), np.uint8), r"got \(4, 4, 2\) of uint8"),
        (np.zeros((0, 4, 3), np.uint8), r"got \(0, 4, 3\)"),
        (7, "got int; convert it"),
        (Image.new("RGB", (0, 5)), "with pixels, got 0×5"),
        (closed(), "closed image; open it again"),
    ],
)
def test_what_is_no_picture_is_told(given, message):
    with pytest.raises(InputError, match=message):
        koutu.matte(given, model=Everything())
    with pytest.raises(InputError, match=message):
        Matter(Everything())(given)


def test_an_unknown_order_of_channels():
    with pytest.raises(InputError, match="rgb or bgr, got 'gbr'"):
        frame_of(np.zeros((4, 4, 3), np.uint8), channels="gbr")  # type: ignore[arg-type]
