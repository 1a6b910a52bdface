"""Engines: what runs a network, behind one contract (`engines.backend`)."""
