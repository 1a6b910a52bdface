"""Files in and out: readers, backgrounds, encoders and containers."""
