"""Hardware-aware search of tmodnet's shape: a supernet, a latency table, evolution along the front (docs/search.md)."""
