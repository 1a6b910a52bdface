"""Weights and inputs filled by an integer hash of their name: two implementations compared without files."""

import hashlib
import zlib

import numpy as np
import pytest
import torch
from torch import Tensor, nn


def uniform(name: str, *shape: int) -> Tensor:
    """float64 in [0, 1): the stream that belongs to `name`."""
    count = int(np.prod(shape))
    h = (np.arange(count, dtype=np.uint64) * 2654435761 + zlib.crc32(name.encode())) % 2**32
    for _ in range(2):
        h ^= h >> np.uint64(16)
        h = (h * np.uint64(0x45D9F3B)) % 2**32
    h ^= h >> np.uint64(16)
    return torch.from_numpy((h / 2**32).reshape(shape))


def fill(module: nn.Module, gain: float = 1.0) -> None:
    """Set every floating entry of the state dict from the hash of its key; `gain` scales convolutions and the like."""
    for key, value in module.state_dict().items():
        if not value.is_floating_point():
            continue
        u = uniform(key, *value.shape)
        if key.endswith("running_var"):
            u = 0.5 + u
        elif key.endswith("running_mean"):
            u = 0.2 * (u - 0.5)
        elif value.ndim >= 2:
            u = (2 * u - 1) * np.sqrt(3 / (value.numel() / value.shape[0])) * gain
        else:
            u = 0.75 + 0.5 * u if key.endswith("weight") else 0.3 * u
        value.copy_(u)


def samples(x: Tensor) -> list[float]:
    """Eight values spread over the flat tensor."""
    flat = x.flatten()
    return [flat[int(k * (len(flat) - 1) / 7)].item() for k in range(8)]


def assert_equals(pred: Tensor, expected: dict, rel: float = 1e-6) -> None:
    """The prediction has the shape, the statistics and the samples of a reference output."""
    assert list(pred.shape) == expected["shape"]
    assert pred.mean().item() == pytest.approx(expected["mean"], rel=rel)
    assert pred.std(unbiased=False).item() == pytest.approx(expected["std"], rel=rel)
    assert samples(pred) == pytest.approx(expected["samples"], rel=rel, abs=rel * 1e-2)


def signature(module: nn.Module) -> dict:
    """Number of keys and parameters, and a hash of all names and shapes, of a state dict."""
    lines = sorted(f"{key} {list(value.shape)}" for key, value in module.state_dict().items())
    params = sum(p.numel() for p in module.parameters())
    return {"n_keys": len(lines), "params": params, "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest()}
