"""What every network is: its hints, its memory and its sizes, said once for training, export and the engines."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn


class Network(nn.Module):
    """Called with (src, *state, **hints) it gives (fgr, pha, *state); a memory goes in and comes out, none is hidden.

    src (N, 3, H, W) RGB in [0, 1], with memory perhaps a clip folded time-major (T·N, 3, H, W); hints (T·N, C, H, W);
    fgr like src, or src itself of a network that gives no colours; pha (T·N, 1, H, W) in [0, 1].
    """

    needs: tuple[str, ...] = ()  # hints it cannot do without: "trimap", "mask", "seg", "bgr"
    propagates = False  # its hints belong to a stream's first frame, and it carries them on
    stride = 1  # what both sides of src must be multiples of
    largest_above: float | None = None  # published post-processing: over this alpha only the largest part stays
    remembers_alpha = False  # its only memory is the previous pha
    any_size = False  # one exported graph serves images of any size
    makes_trimaps = False  # it has `trimap`
    reduces_itself = False  # its Config has a `downsample_ratio`, and it refines what it saw smaller
    begins_from_onnx = False  # it has `begin_from`
    forwards: tuple[str, ...] = ("training_outputs",)  # its methods that objectives call beside `forward`

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) that its authors showed it of images of (H, W). Raises NotImplementedError here."""
        raise NotImplementedError

    def initial_state(self, src: Tensor) -> list[Tensor]:
        """Empty memory for images the size of src (N, 3, H, W); here, nothing is remembered."""
        return []

    def training_outputs(self, *inputs: Any, **hints: Any) -> Any:
        """The heads that only training needs, on the same inputs as `forward`. Raises NotImplementedError here."""
        raise NotImplementedError

    def trimap(self, src: Tensor) -> Tensor:
        """Probabilities (N, 3, H, W) of background, unknown and foreground. Raises NotImplementedError here."""
        raise NotImplementedError

    @staticmethod
    def rename(state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights under the names of other people's code, under ours; here, as they are."""
        return state

    def begin_from(self, path: Path) -> None:
        """Fill what it shares with the network in an ONNX file. Raises NotImplementedError here."""
        raise NotImplementedError
