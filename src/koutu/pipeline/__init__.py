"""Whole videos: the stages, each in its own thread, and what lies between them."""
