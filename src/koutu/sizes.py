"""The size of what a network is shown: about so many pixels at the picture's aspect, in whole strides."""

WIDEST = 4.0  # of the longer side to the shorter; a longer picture is squeezed


def near_area(size: tuple[int, int], pixels: int, stride: int = 1) -> tuple[int, int]:
    """(h, w) of about `pixels` pixels at the aspect of (H, W), held within 4 : 1; both multiples of `stride`."""
    aspect = min(WIDEST, max(1 / WIDEST, size[1] / size[0]))
    height = (pixels / aspect) ** 0.5
    return whole(height, stride), whole(height * aspect, stride)


def whole(side: float, stride: int) -> int:
    """The multiple of `stride` nearest to a side, at least one stride."""
    return max(1, round(side / stride)) * stride
