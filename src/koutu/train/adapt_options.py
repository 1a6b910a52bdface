"""How an adaptation goes if nothing else is said."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AdaptOptions:
    """frames: how many are sampled; minutes: of adapting, at most; pixels: 0 as usual."""

    frames: int = 320
    minutes: float = 3.0
    epochs: int = 10
    lr: float = 1e-5
    clip: float = 1.0  # largest norm of the gradient
    pixels: int = 0
    seed: int = 0
