"""What every training objective is: parts of a loss from a network and a batch, and perhaps a critic to deceive."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from torch import Tensor, nn

from koutu.train.batch import Batch
from koutu.types import InputError

Network: TypeAlias = Any  # one of `koutu.models`, perhaps wrapped by Lightning


class Objective(nn.Module):
    """Call it with the network, a batch and the share of the stage that is done: named parts, whose sum is minimised.

    needs: hints of a scene (`koutu.data.scenes.hints`) beside those that the network needs itself. exact: src must be
    composed of fgr, bgr and pha. truth: whether it asks for any; footage will do if not. critic: trained after every
    network's step on `critic_loss`, None for most. Other networks that an objective holds (a frozen teacher, a
    classifier) are its own and not trained. options: values of `defaults`.
    """

    needs: tuple[str, ...] = ()
    exact = False
    truth = True
    defaults: Mapping[str, Any] = {}

    def __init__(self, network: Network, options: Mapping[str, Any] | None = None):
        super().__init__()
        self.critic: nn.Module | None = None
        options = options or {}
        if unknown := sorted(set(options) - set(self.defaults)):
            known = ", ".join(self.defaults) or "none"
            raise InputError(f"expected options of {type(self).__name__} out of {known}, got {', '.join(unknown)}")
        self.options = {**self.defaults, **options}

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        """Parts already weighted. Raises NotImplementedError here."""
        raise NotImplementedError

    def critic_loss(self) -> Tensor:
        """What the critic minimises, of the last batch; its inputs are detached from the network."""
        raise NotImplementedError


def unknown_of(trimap: Tensor) -> Tensor:
    """Where a trimap of 0, 0.5 and 1 does not decide; boolean, same shape."""
    return trimap == 0.5
