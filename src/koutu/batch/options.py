"""What is asked for of one item: the options of `koutu video`, from the command line or from a row of a list."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

from koutu.defaults import DEVICE, MODEL
from koutu.media.background_spec import make_background
from koutu.media.containers import CONTAINERS, EncodeOptions
from koutu.media.fields import Deinterlace
from koutu.media.image import is_animated, is_image
from koutu.media.writer import require_options
from koutu.pipeline.look import Look
from koutu.types import InputError
from koutu.zoo import MODELS

_ENCODE = EncodeOptions()
_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
IMAGE_FORMATS = ("png", "webp", "tiff", "jpg")


@dataclass(frozen=True)
class ItemOptions:
    """Named as on the command line. model, engine "": the library's choice; format "": .webm with alpha, else .mp4."""

    background: str = str(Look.background)
    fit: str = Look.fit
    hold: bool = not Look.loop
    smooth: bool = Look.smooth
    refine: bool = Look.refine
    decontaminate: bool = Look.decontaminate
    premultiplied: bool = Look.premultiplied
    zoom: bool = Look.zoom
    alpha: bool = False  # also as a grey video or picture, NAME.alpha
    format: str = ""
    image_format: str = "png"
    model: str = ""
    weights: str = ""
    option: tuple[str, ...] = ()
    engine: str = ""
    device: str = DEVICE
    threads: int = 1  # the same everywhere, because their number changes how sums are rounded
    gate: bool | None = None
    steady: bool | None = None
    trimap: str = ""
    mask: str = ""
    plate: str = ""
    plate_fixed: bool = False
    clicks: str = ""
    trimap_radius: int = -1
    codec: str = _ENCODE.codec
    preset: str = _ENCODE.preset
    crf: int = _ENCODE.crf
    alpha_crf: int = _ENCODE.alpha_crf
    depth: int = _ENCODE.depth
    sdr: bool = False
    audio: bool = _ENCODE.audio
    deinterlace: Deinterlace = "auto"

    @property
    def suffix(self) -> str:
        """The ending of a video's result."""
        return f".{self.format or ('webm' if self.transparent else 'mp4')}"

    @property
    def transparent(self) -> bool:
        """Whether the result is a cut-out."""
        return self.background.strip().lower() == "transparent"

    @property
    def files(self) -> dict[str, str]:
        """The files it names beside the network's, by option."""
        given = {name: getattr(self, name) for name in ("background", "trimap", "mask", "plate")}
        return {name: path for name, path in given.items() if path and Path(path).is_file()}

    @property
    def one_by_one(self) -> bool:
        """Whether a frame needs all before it: a moving background, hints in step with the frames, fields."""
        fields = self.deinterlace == "keep"  # two of them are one frame
        moving = any(not is_image(path) or is_animated(path) for path in self.files.values())
        return moving or fields or bool(self.mask or self.trimap or self.clicks or self.plate)

    def absolute(self) -> "ItemOptions":
        """The same wherever a worker stands."""
        given = dict(self.files)
        if self.model not in MODELS and Path(self.model).is_file():
            given["model"] = self.model
        if self.weights and Path(self.weights).exists():
            given["weights"] = self.weights
        return replace(self, **{name: os.path.abspath(path) for name, path in given.items()})

    def look(self) -> Look:
        """How the result looks."""
        fit: Any = self.fit
        return Look(
            self.background,
            fit,
            not self.hold,
            self.decontaminate,
            self.refine,
            self.smooth,
            self.premultiplied,
            self.zoom,
        )

    def encode(self) -> EncodeOptions:
        """How to encode; one thread, because their number changes the encoder's decisions."""
        codec: Any = self.codec
        return EncodeOptions(codec, self.preset, self.crf, self.depth, self.audio, self.alpha_crf, threads=1)

    def require(self) -> None:
        """Raise a KoutuError unless all of it can be done, but for the network."""
        require_options(self.encode())
        if self.deinterlace not in (known := get_args(Deinterlace)):
            raise InputError(
                f"expected deinterlace out of {', '.join(known)}, got {self.deinterlace!r}; name one of them"
            )
        fit: Any = self.fit
        make_background(self.background, fit=fit, loop=not self.hold).close()
        if self.suffix not in CONTAINERS:
            raise InputError(f"expected a format out of {_endings()}, got {self.format!r}; name one of them")
        if self.transparent and CONTAINERS[self.suffix].alpha is None:
            raise InputError(f"expected a format that holds alpha, webm or mov, got {self.format}; name one of them")
        if self.image_format not in IMAGE_FORMATS or (self.transparent and self.image_format == "jpg"):
            raise InputError(
                f"expected an image format out of {', '.join(IMAGE_FORMATS)}, of which jpg holds no alpha, got "
                f"{self.image_format!r}; name another"
            )
        for name in ("trimap", "mask", "plate"):
            path = getattr(self, name)
            if path and path != "auto" and not Path(path).is_file():
                raise InputError(f"{path}: expected the file of --{name}, got none; check the path")

    def weights_hash(self) -> str:
        """SHA-256 of what the network is, so that another one under the same name is noticed."""
        card = MODELS.get(self.model or MODEL)
        if card is not None:
            return hashlib.sha256(" ".join((card.sha256, *card.parts)).encode()).hexdigest()
        digest = hashlib.sha256(self.model.encode())
        for path in (Path(self.model), Path(self.weights)):
            for file in [path] if path.is_file() else sorted(path.rglob("*")) if self.weights and path.is_dir() else []:
                if file.is_file():
                    digest.update(file.read_bytes())
        return digest.hexdigest()

    def told(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def told_options(said: Mapping[str, Any]) -> ItemOptions:
    """The options of `told`."""
    return ItemOptions(**{**said, "option": tuple(said["option"])})


def options_of(row: Mapping[str, Any], base: ItemOptions) -> ItemOptions:
    """Those of a row of a list: what it leaves empty is as in `base`. Raises InputError."""
    known = {field.name: field for field in fields(ItemOptions)}
    changed: dict[str, Any] = {}
    for name, value in row.items():
        column = str(name).strip().lstrip("-").replace("-", "_")
        if column not in known:
            raise InputError(
                f"expected columns source, target and options of koutu batch, got {name!r}; for example background"
            )
        if value is not None and value == value and str(value).strip() != "":  # NaN stands for nothing in Parquet
            changed[column] = _value(column, value, getattr(ItemOptions, column))
    return replace(base, **changed)


def _value(name: str, value: Any, default: Any) -> Any:
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
    if name == "option":
        return tuple(text.split())
    if isinstance(default, bool) or default is None:
        if text.lower() not in _WORDS:
            raise InputError(f"expected {name} to be yes or no, got {text!r}; write one of them")
        return _WORDS[text.lower()]
    if isinstance(default, int):
        if not text.lstrip("-").isdecimal():
            raise InputError(f"expected {name} to be a whole number, got {text!r}; write one")
        return int(text)
    return text


def _endings() -> str:
    return ", ".join(name.removeprefix(".") for name in CONTAINERS)
