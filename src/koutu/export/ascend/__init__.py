"""Ascend chips: the picture's way into the network (AIPP), operators that they know, and what builds an .om file."""

from koutu.export.ascend.aipp import aipp_for, aipp_text
from koutu.export.ascend.operators import Finding, check
from koutu.export.ascend.package import write_package
from koutu.export.ascend.rewrite import rewrite

__all__ = ["Finding", "aipp_for", "aipp_text", "check", "rewrite", "write_package"]
