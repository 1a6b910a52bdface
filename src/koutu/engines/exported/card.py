"""The card beside an exported file, NAME.json: all that somebody needs who runs the file without koutu."""

import json
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from koutu.engines.described.keys import by, list_of, one_of, read_mapping, text, whole
from koutu.files import sha256_of
from koutu.types import ModelError

VERSION = 1
MARK = "koutu_export"  # the key that tells a card from any other JSON file; its value is the version
ANY = "any"

Size = tuple[int, int]
Side = int | str  # "h", "w": of what the network is shown; "H", "W": of the frame


def _side(value: Any, where: str) -> Side:
    return value if value in ("h", "w", "H", "W") else whole(value, where)


@dataclass(frozen=True)
class Tensor:
    """An input or output of the file. levels: which numbers stand for black and white, or nobody and somebody."""

    name: str = field(metadata=by(text))
    dtype: str = field(metadata=by(one_of("uint8", "float32")))
    layout: str = field(metadata=by(one_of("NCHW", "NHWC", "CHW", "image")))
    shape: tuple[Side, ...] = field(metadata=by(list_of(_side)))
    levels: str = field(default="0-1", metadata=by(one_of("0-1", "0-255")))
    colours: str = field(default="", metadata=by(lambda value, _: value))
    normalisation: str = field(default="", metadata=by(lambda value, _: value))


@dataclass(frozen=True)
class Memory:
    """An input that is zeros with the first frame, then what the output `fed_by` gave for the frame before."""

    name: str = field(metadata=by(text))
    fed_by: str = field(metadata=by(text))
    dtype: str = field(metadata=by(one_of("float32")))
    layout: str = field(metadata=by(one_of("NCHW", "CHW")))
    shape: tuple[Side, ...] = field(metadata=by(list_of(_side)))
    first: str = field(default="zeros", metadata=by(one_of("zeros")))


@dataclass(frozen=True)
class ExportCard:
    """What running needs. size, network_size: (H, W) of the frames and of what the network sees; None: any.

    ratio: the second by the first where both are any; stride: what its sides are multiples of; pixels: of a frame
    where the size is any and no ratio is given. files: SHA-256 by name, relative to the card's folder.
    """

    path: Path
    name: str
    target: str
    main: str
    files: dict[str, str]
    source: Tensor
    memories: tuple[Memory, ...]
    outputs: dict[str, Tensor]
    size: Size | None
    network_size: Size | None
    stride: int
    pixels: int
    ratio: Fraction | None = None
    content: dict[str, Any] = field(default_factory=dict)

    @property
    def states(self) -> dict[str, str]:
        """Input name → the output that feeds it."""
        return {memory.name: memory.fed_by for memory in self.memories}

    def seen(self, size: Size) -> Size:
        """(h, w) that the network is shown of frames of (H, W)."""
        return self.network_size or (ratio_of(size, self.ratio, self.stride) if self.ratio else size)


def ratio_of(size: Size, ratio: Fraction, stride: int) -> Size:
    """(h, w) of frames of (H, W) at `ratio`, the nearest multiples of `stride`; whole numbers alone, as in graphs."""
    p, q = ratio.numerator, ratio.denominator * stride
    return max(1, (2 * size[0] * p + q) // (2 * q)) * stride, max(1, (2 * size[1] * p + q) // (2 * q)) * stride


def is_card(path: Path) -> bool:
    """Whether the file is there and says that it is a card."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and MARK in content


def read_card(path: Path, *, check_files: bool = True) -> ExportCard:
    """The card in `path`, its files there and unchanged; raises ModelError saying what is wrong."""
    if not path.is_file():
        raise ModelError(f"expected a card of `koutu export` at {path}, found no such file; check the path")
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as e:
        raise ModelError(f"{path}: expected the JSON card of an export, got {e}; export the network anew") from e
    if not isinstance(content, dict) or content.get(MARK) != VERSION:
        found = content.get(MARK, "none") if isinstance(content, dict) else type(content).__name__
        raise ModelError(f"{path}: expected a card of `koutu export`, version {VERSION}, got {found}; export anew")
    card = _card(path, content)
    if check_files:
        _check_files(card)
    return card


def _card(path: Path, content: dict[str, Any]) -> ExportCard:
    keys = ("name", "target", "main", "files", "input", "states", "outputs", "size", "network_size", "stride", "pixels")
    if missing := [key for key in keys if key not in content]:
        raise ModelError(f"{path}: expected the keys {', '.join(missing)} too; export the network anew")
    where = path.name
    for key, kind in (("files", dict), ("states", list), ("outputs", dict)):
        if not isinstance(content[key], kind):
            raise ModelError(f"{path}: expected {key} as a {kind.__name__}, got {content[key]!r}; export anew")
    ratio = content.get("ratio")
    try:
        fraction = Fraction(str(ratio)) if ratio else None
    except (ValueError, ZeroDivisionError) as e:
        raise ModelError(f'{path}: expected a ratio such as "1/4", got {ratio!r}; export anew') from e
    outputs = {key: read_mapping(Tensor, entry, f"{where}, {key}") for key, entry in content["outputs"].items()}
    if "pha" not in outputs:
        raise ModelError(f"{path}: expected the output pha, got {', '.join(outputs) or 'none'}; export anew")
    return ExportCard(
        path, text(content["name"], where), text(content["target"], where), text(content["main"], where),
        {name: entry["sha256"] if isinstance(entry, dict) else str(entry) for name, entry in content["files"].items()},
        read_mapping(Tensor, content["input"], f"{where}, input"),
        tuple(read_mapping(Memory, entry, f"{where}, states") for entry in content["states"]),
        outputs, _size(content["size"], where), _size(content["network_size"], where),
        max(1, whole(content["stride"], where)), whole(content["pixels"], where), fraction, content,
    )  # fmt: skip


def _size(given: Any, where: str) -> Size | None:
    if given == ANY:
        return None
    if not isinstance(given, dict) or set(given) != {"width", "height"}:
        raise ModelError(f"{where}: expected a width and a height, or {ANY}, got {given!r}; export anew")
    return whole(given["height"], where), whole(given["width"], where)


def _check_files(card: ExportCard) -> None:
    for name, expected in card.files.items():
        file = card.path.parent / name
        if not file.is_file():
            raise ModelError(f"expected {file} beside its card {card.path.name}, found none; keep them together")
        if (found := sha256_of(file)) != expected:
            raise ModelError(
                f"{file}: expected SHA-256 {expected[:12]}… as {card.path.name} says, got {found[:12]}…; "
                "it is damaged or of another export"
            )
