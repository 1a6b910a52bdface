"""Somebody else's network file, run by a YAML description of it."""
