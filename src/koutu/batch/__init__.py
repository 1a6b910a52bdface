"""Thousands of videos and pictures at once: what is to be made, who makes it, and what has been made so far."""
