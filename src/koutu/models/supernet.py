"""One set of weights for every shape of a space: a smaller network is the leading part of a larger one's tensors."""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from koutu.models.space import Choice, Space
from koutu.models.tmodnet import TMODNet
from koutu.nn.mobilenetv3_unet import InvertedResidual, MobileNetV3UNet


def part(network: TMODNet, space: Space, choice: Choice) -> tuple[TMODNet, dict[str, Tensor]]:
    """An empty network of a shape, and what its parameters are of `network`'s, through which gradients flow back."""
    small = TMODNet(space.config(choice))
    given = dict(network.named_parameters())
    where = {f"blocks.{new}.": f"blocks.{old}." for new, old in enumerate(space.indices(choice))}
    return small, {name: _leading(given[_named(name, where)], p.shape) for name, p in small.named_parameters()}


@torch.no_grad()
def extract(network: TMODNet, space: Space, choice: Choice) -> TMODNet:
    """A network of a shape with copies of its weights, ready to run or to train on."""
    small, weights = part(network, space, choice)
    small.load_state_dict({name: w.clone() for name, w in weights.items()})
    return small.eval()


@torch.no_grad()
def sort_channels(network: TMODNet) -> None:
    """Order the expanded channels of every block by how much is made of them, so that narrow shapes keep the best.

    The network's answers do not change. Importance: L1 norm of the weights that read a channel.
    """
    branch = cast("MobileNetV3UNet", network.semantic_branch)
    for block in cast("list[InvertedResidual]", list(branch.blocks)):
        order = block.reduce.weight.abs().sum(dim=(0, 2, 3)).argsort(descending=True)
        for conv in (block.expand, block.depthwise):
            _reorder(conv, order, outputs=True)
        if block.gate is not None:
            _reorder(block.gate.squeeze, order, outputs=False)
            _reorder(block.gate.excite, order, outputs=True)
        _reorder(block.reduce, order, outputs=False)


class Training(nn.Module):
    """`training_outputs` as a forward pass, for `torch.func.functional_call`."""

    def __init__(self, network: TMODNet):
        super().__init__()
        self.network = network

    def forward(self, src: Tensor, *state: Tensor):
        return self.network.training_outputs(src, *state)


def _reorder(conv: nn.Conv2d, order: Tensor, *, outputs: bool) -> None:
    conv.weight.copy_(conv.weight[order] if outputs else conv.weight[:, order])
    if outputs and conv.bias is not None:
        conv.bias.copy_(conv.bias[order])


def _named(name: str, where: Mapping[str, str]) -> str:
    """A parameter's name in the supernet, where blocks may have other numbers."""
    branch = "semantic_branch."
    if name.startswith(f"{branch}blocks."):
        number = name.removeprefix(branch).split(".")[1]
        return name.replace(f"blocks.{number}.", where[f"blocks.{number}."], 1)
    return name


def _leading(weight: Tensor, shape: torch.Size) -> Tensor:
    """The first channels of a tensor, and the middle of larger kernels."""
    channels = tuple(slice(0, n) for n in shape[:2])
    middle = tuple(slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(weight.shape[2:], shape[2:], strict=True))
    return weight[channels + middle]
