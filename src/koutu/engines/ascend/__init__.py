"""Packages for Ascend chips, simulated: AIPP, then the network."""
