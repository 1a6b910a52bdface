"""koutu (抠图): cut people out of pictures and video in real time and put another background behind them.

The names below are imported when first used, so that `import koutu` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the same names for type checkers
    from koutu.api import convert as convert
    from koutu.api import convert_image as convert_image
    from koutu.api import make_trimap as make_trimap
    from koutu.api import matte as matte
    from koutu.api import mattes as mattes
    from koutu.color import to_rgb as to_rgb
    from koutu.composite import replace as replace
    from koutu.engines.backend import Backend as Backend
    from koutu.foreground import decontaminate as decontaminate
    from koutu.matting.chosen import Chosen as Chosen
    from koutu.matting.clicks import Click as Click
    from koutu.matting.hints import Hints as Hints
    from koutu.matting.matte import Matte as Matte
    from koutu.matting.matter import Matter as Matter
    from koutu.matting.people import PersonAt as PersonAt
    from koutu.media.background import Background as Background
    from koutu.media.background_spec import make_background as make_background
    from koutu.media.containers import EncodeOptions as EncodeOptions
    from koutu.media.image import read_image as read_image
    from koutu.media.image import write_image as write_image
    from koutu.media.reader import VideoReader as VideoReader
    from koutu.media.reader import open_video as open_video
    from koutu.media.writer import Writer as Writer
    from koutu.media.writer import open_writer as open_writer
    from koutu.pipeline.convert import Report as Report
    from koutu.progress import watch as watch
    from koutu.review import Reviewer as Reviewer
    from koutu.types import ColorSpace as ColorSpace
    from koutu.types import Frame as Frame
    from koutu.types import InputError as InputError
    from koutu.types import KoutuError as KoutuError
    from koutu.types import ModelError as ModelError
    from koutu.types import OutputError as OutputError
    from koutu.types import Yuv as Yuv
    from koutu.types import Yuv420 as Yuv420
    from koutu.types import Yuv444 as Yuv444
    from koutu.zoo import load as load

__version__ = "0.1.0"

_HOMES = {
    "convert": "koutu.api",
    "convert_image": "koutu.api",
    "matte": "koutu.api",
    "mattes": "koutu.api",
    "watch": "koutu.progress",
    "make_trimap": "koutu.api",
    "load": "koutu.zoo",
    "Backend": "koutu.engines.backend",
    "Matter": "koutu.matting.matter",
    "Hints": "koutu.matting.hints",
    "Chosen": "koutu.matting.chosen",
    "PersonAt": "koutu.matting.people",
    "Click": "koutu.matting.clicks",
    "Frame": "koutu.types",
    "Yuv": "koutu.types",
    "Yuv420": "koutu.types",
    "Yuv444": "koutu.types",
    "ColorSpace": "koutu.types",
    "Matte": "koutu.matting.matte",
    "open_video": "koutu.media.reader",
    "VideoReader": "koutu.media.reader",
    "open_writer": "koutu.media.writer",
    "Writer": "koutu.media.writer",
    "EncodeOptions": "koutu.media.containers",
    "read_image": "koutu.media.image",
    "write_image": "koutu.media.image",
    "make_background": "koutu.media.background_spec",
    "Background": "koutu.media.background",
    "replace": "koutu.composite",
    "decontaminate": "koutu.foreground",
    "to_rgb": "koutu.color",
    "Report": "koutu.pipeline.convert",
    "Reviewer": "koutu.review",
    "KoutuError": "koutu.types",
    "InputError": "koutu.types",
    "OutputError": "koutu.types",
    "ModelError": "koutu.types",
}
__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


if not TYPE_CHECKING:  # a checker that saw it would take any name for one of these

    def __getattr__(name: str) -> object:
        if name in _HOMES:
            return getattr(importlib.import_module(_HOMES[name]), name)
        raise AttributeError(f"module 'koutu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
