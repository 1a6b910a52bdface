"""A network for programs that keep no memory for it: the picture alone goes in."""

from torch import Tensor

from koutu.models.base import Network
from koutu.types import ModelError


class PictureOnly(Network):
    """Every picture is a stream's first one, and is looked at twice as first ones are: src (N, 3, H, W) → (src, pha).

    Raises ModelError for a network whose memory is more than its alpha.
    """

    def __init__(self, network: Network):
        super().__init__()
        if not network.remembers_alpha and type(network).initial_state is not Network.initial_state:
            raise ModelError(
                f"expected a network whose memory is its alpha or none, got {type(network).__name__}, which needs more "
                "between frames; take tmodnet, modnet, u2net or shm"
            )
        self.network, self.stride = network, network.stride
        self.any_size, self.largest_above, self.needs = network.any_size, network.largest_above, network.needs

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """As of the network."""
        return self.network.network_size(size)

    def forward(self, src: Tensor) -> tuple[Tensor, Tensor]:
        if not self.network.initial_state(src):
            return src, self.network(src)[1]
        empty = src[:, :1] * 0  # of the picture's size, in operators that every converter knows
        return src, self.network(src, self.network(src, empty)[1])[1]
