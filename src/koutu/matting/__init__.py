"""Frames of one stream into mattes: memory, hints, refinement."""
