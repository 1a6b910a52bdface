"""koutu (抠图): cut people out of pictures and video in real time and put another background behind them.

The names below are imported when first used, so that `import koutu` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from koutu.api import convert as convert
    from koutu.api import matte as matte
    from koutu.composite import replace as replace
    from koutu.foreground import decontaminate as decontaminate
    from koutu.matting.matter import Matter as Matter
    from koutu.media.image import read_image as read_image
    from koutu.media.image import write_image as write_image
    from koutu.media.reader import open_video as open_video
    from koutu.pipeline.convert import Report as Report
    from koutu.types import Frame as Frame
    from koutu.types import KoutuError as KoutuError
    from koutu.types import Matte as Matte
    from koutu.zoo import load as load

__version__ = "0.1.0"

_HOMES = {
    "convert": "koutu.api",
    "matte": "koutu.api",
    "load": "koutu.zoo",
    "Matter": "koutu.matting.matter",
    "open_video": "koutu.media.reader",
    "read_image": "koutu.media.image",
    "write_image": "koutu.media.image",
    "replace": "koutu.composite",
    "decontaminate": "koutu.foreground",
    "Report": "koutu.pipeline.convert",
    "Frame": "koutu.types",
    "Matte": "koutu.types",
    "KoutuError": "koutu.types",
}
__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'koutu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
