"""Training: recipes, objectives, the engine, adaptation to a user's own clip."""

from koutu.extras import pip_line
from koutu.types import ModelError


def require() -> None:
    """Raise ModelError unless what training needs is installed."""
    try:
        import lightning_fabric  # noqa: F401
        import torch  # noqa: F401
    except ModuleNotFoundError as e:
        raise ModelError(f"training needs {e.name}, which is not installed; {pip_line('train')}") from e
