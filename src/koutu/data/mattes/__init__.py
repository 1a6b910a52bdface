"""Masks and images into soft mattes good enough to learn from."""
