"""What a YAML file says of somebody else's network: its tensors, the size it wants, and how alpha comes out of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from koutu.engines.described.keys import by, flag, list_of, number, one_of, read_mapping, text, whole
from koutu.engines.described.sizing import RULES, Size
from koutu.types import ModelError

Name: TypeAlias = str | int  # of a tensor; a number is its place in the file, for networks whose names differ by export

HINTS = ("bgr", "trimap", "mask")
GREY = ("trimap", "mask")
RANGES = ("0-1", "0-255", "-1-1")
ACTIVATIONS = ("none", "sigmoid", "softmax", "argmax", "minmax", "clip")


def _name(value: Any, where: str) -> Name:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return text(value, where)


def _divisor(value: Any, where: str) -> float:
    if number(value, where) == 0:
        raise ModelError(f"{where}: expected a number other than 0, by which is divided")
    return float(value)


def _number_or_auto(value: Any, where: str) -> float | None:
    return None if value == "auto" else number(value, where)


def _side(value: Any, where: str) -> int | str:
    """A side of a state: a number, or h, w, h/2, w/16 … of the network's frame, rounded up."""
    if isinstance(value, str):
        letter, slash, divisor = value.partition("/")
        if letter in ("h", "w") and (not slash or (divisor.isdecimal() and int(divisor))):
            return value
        raise ModelError(f"{where}: expected a number, h, w or for example h/2, got {value!r}")
    return whole(value, where)


@dataclass(frozen=True)
class PictureInput:
    """A frame or hint: v = level in `range` (of 255, or of the frame's own maximum), then (v − mean) / std.

    mean, std: one number, or one for each channel in the network's order. dtype: what the file must want, if given.
    """

    kind: str = field(metadata=by(one_of("src", *HINTS)))
    layout: str = field(default="NCHW", metadata=by(one_of("NCHW", "NHWC")))
    channels: str = field(default="rgb", metadata=by(one_of("rgb", "bgr")))
    range: str = field(default="0-1", metadata=by(one_of(*RANGES, "max")))
    mean: tuple[float, ...] = field(default=(0.0,), metadata=by(list_of(number, 1, 3)))
    std: tuple[float, ...] = field(default=(1.0,), metadata=by(list_of(_divisor, 1, 3)))
    dtype: str | None = field(default=None, metadata=by(one_of("float32", "float16", "uint8", "int8")))


@dataclass(frozen=True)
class StateInput:
    """Memory: zeros at first, then what `output` gave for the frame before. shape: the file's where it is static."""

    kind: str = field(metadata=by(one_of("state")))
    output: Name = field(metadata=by(_name))
    shape: tuple[int | str, ...] | None = field(default=None, metadata=by(list_of(_side)))


@dataclass(frozen=True)
class ConstantInput:
    """A number that stays. value None (in YAML auto): the ratio that makes the longer side `longest`, at most 1."""

    kind: str = field(metadata=by(one_of("constant")))
    value: float | None = field(metadata=by(_number_or_auto))
    longest: int = field(default=512, metadata=by(whole))


Input: TypeAlias = PictureInput | StateInput | ConstantInput


@dataclass(frozen=True)
class Output:
    """Where alpha or the colours come out: a tensor, its channel for alpha, and what is done to it, in this order.

    shape: of a tensor that comes flat, without the batch. corners: the centres of its corner values lie on those of
    the frame's corner pixels, and it is enlarged so first. gain: values are multiplied by it before the activation.
    """

    name: Name = field(metadata=by(_name))
    layout: str = field(default="NCHW", metadata=by(one_of("NCHW", "NHWC")))
    channel: int = field(default=0, metadata=by(whole))
    activation: tuple[str, ...] = field(default=("none",), metadata=by(list_of(one_of(*ACTIVATIONS))))
    range: str = field(default="0-1", metadata=by(one_of(*RANGES)))
    shape: tuple[int, ...] = field(default=(), metadata=by(list_of(whole, 2, 3)))
    corners: bool = field(default=False, metadata=by(flag))
    gain: float = field(default=1.0, metadata=by(number))


def _inputs(given: Any, where: str) -> dict[Name, Input]:
    if not isinstance(given, dict) or not given:
        raise ModelError(f"{where}: expected a mapping of input names to what they are, got {given!r}")
    return {_name(name, where): _input(entry, f"{where} {name}") for name, entry in given.items()}


def _input(given: Any, where: str) -> Input:
    kinds: dict[str, type[Input]] = {"state": StateInput, "constant": ConstantInput}
    kinds |= dict.fromkeys(("src", *HINTS), PictureInput)
    if not isinstance(given, dict) or str(given.get("kind")) not in kinds:  # first, for the other keys depend on it
        raise ModelError(f"{where}: expected a kind out of {', '.join(kinds)}, got {given!r}")
    return read_mapping(kinds[given["kind"]], given, where)


def _outputs(given: Any, where: str) -> dict[str, Output]:
    if not isinstance(given, dict) or "pha" not in given or set(given) - {"pha", "fgr"}:
        raise ModelError(f"{where}: expected pha and, if the network gives colours, fgr, got {given!r}")
    return {key: read_mapping(Output, entry, f"{where} {key}") for key, entry in given.items()}


def _size(given: Any, where: str) -> Size:
    entries = {
        "rule": one_of(*RULES), "at": list_of(whole, 2), "side": whole, "pixels": whole, "multiple": whole,
        "plus": whole, "rounding": one_of("nearest", "down", "up"), "fit": one_of("stretch", "letterbox"),
        "keep_straddling": flag,
    }  # fmt: skip
    if not isinstance(given, dict) or set(given) - set(entries):
        raise ModelError(f"{where}: expected keys out of {', '.join(entries)}, got {given!r}; correct them")
    size = Size(**{name: entries[name](value, f"{where}, {name}") for name, value in given.items()})
    needed = RULES[size.rule]
    if 0 in (size.multiple, *size.at) or (needed and not getattr(size, needed)):
        wanted = f"{needed} and the rest" if needed else "the numbers"
        raise ModelError(f"{where}: expected {wanted} above 0 with rule {size.rule}, got {given!r}")
    return size


@dataclass(frozen=True)
class Description:
    """One network: where its file is, under what licence, and how it is run. docs/third-party.md has every key."""

    title: str = field(metadata=by(text))
    source: str = field(metadata=by(text))
    licence: str = field(metadata=by(text))
    files: tuple[str, ...] = field(metadata=by(list_of(text)))
    format: str = field(metadata=by(one_of("onnx", "tflite")))
    size: Size = field(metadata=by(_size))
    inputs: dict[Name, Input] = field(metadata=by(_inputs))
    outputs: dict[str, Output] = field(metadata=by(_outputs))

    @property
    def hints(self) -> tuple[str, ...]:
        """What the network is given beside the frame."""
        kinds = {entry.kind for entry in self.inputs.values()}
        return tuple(hint for hint in HINTS if hint in kinds)


def parse_description(given: Any, where: str) -> Description:
    """A description from what YAML gave; `where` names it in errors."""
    description = read_mapping(Description, given, where)
    pictures = [entry for entry in description.inputs.values() if isinstance(entry, PictureInput)]
    kinds = [entry.kind for entry in pictures]
    if kinds.count("src") != 1 or len(set(kinds)) != len(kinds):
        raise ModelError(f"{where}: expected one input src, and each hint at most once, got {', '.join(kinds)}")
    for entry in pictures:
        if entry.kind in GREY and max(len(entry.mean), len(entry.std)) > 1:
            raise ModelError(f"{where}: expected one number as mean and std of {entry.kind}, which is grey, got three")
    return description


def read_description(path: Path) -> Description:
    """The description in a YAML file; ModelError if it is missing, not YAML, or not a description."""
    import yaml

    if not path.is_file():
        raise ModelError(f"expected a description at {path}, found no such file; check the path")
    try:
        given = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise ModelError(f"{path}: expected YAML, got {e}; correct the file") from e
    return parse_description(given, path.name)
