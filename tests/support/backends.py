"""Backends whose mattes are known beforehand."""

import numpy as np

from koutu.engines.backend import Backend


class Everything(Backend):
    """A backend that takes all there is for a person, by so much of 255."""

    name = "everything"

    def __init__(self, level: int = 255):
        self.level = level

    def network_size(self, size):
        return size

    def initial_state(self, size):
        return 0

    def __call__(self, rgb, state, **hints):
        return None, np.full(rgb.shape[:2], self.level / 255, np.float32), state + 1
