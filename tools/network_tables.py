"""The table of networks in docs/networks.md, out of their cards."""

from pathlib import Path

from koutu.models import MODELS


def networks(root: Path) -> str:
    """A row a network: its variants, what was proved of it, and what to mind."""
    rows = [(name, card.variants, card.proved, card.mind) for name, card in MODELS.items()]
    lines = ["| " + " | ".join(cell or "–" for cell in row) + " |" for row in rows]
    return "\n".join(["| name | variants | proved | mind |", "|---|---|---|---|", *lines])
