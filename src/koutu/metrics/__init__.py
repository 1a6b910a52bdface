"""How good a matte is: the field's measures, exactly, each with its region and scale; pure functions of arrays.

`picture` and `video` compare with the truth, `regions` says where, `ports` has scores of other scripts under names of
their own, `no_reference` needs no truth. docs/metrics.md tells which paper prints which.
"""

from koutu.metrics.picture import (
    connectivity,
    foreground_mad,
    foreground_mse,
    gradient,
    iou,
    mad,
    mse,
    sad,
)
from koutu.metrics.regions import band, between, foreground, known, unknown
from koutu.metrics.video import dtssd, dtssd_sum, messddt, messddt_fix, ssda

__all__ = [
    "band", "between", "connectivity", "dtssd", "dtssd_sum", "foreground", "foreground_mad", "foreground_mse",
    "gradient", "iou", "known", "mad", "messddt", "messddt_fix", "mse", "sad", "ssda", "unknown",
]  # fmt: skip
