"""Masks and pictures into soft mattes good enough to learn from."""
