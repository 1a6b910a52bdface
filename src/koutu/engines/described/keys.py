"""Mappings that a user wrote, read strictly into dataclasses whose fields say how they are read."""

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, TypeAlias, TypeVar

from koutu.types import ModelError

Reader: TypeAlias = Callable[[Any, str], Any]  # a value and where it stands → the value, or ModelError
T = TypeVar("T")


def by(reader: Reader) -> dict[str, Reader]:
    """Metadata of a dataclass's field that `read_mapping` fills through `reader`."""
    return {"read": reader}


def read_mapping(kind: type[T], given: Any, where: str) -> T:
    """An object of `kind` from a mapping; ModelError names unknown and missing keys."""
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(given, dict):
        raise ModelError(f"{where}: expected the keys {', '.join(known)}, got {given!r}")
    unknown = [str(key) for key in given if key not in known]
    if unknown:
        raise ModelError(f"{where}: expected keys out of {', '.join(known)}, got {', '.join(unknown)}; correct them")
    missing = [name for name, f in known.items() if f.default is MISSING and name not in given]
    if missing:
        raise ModelError(f"{where}: expected the keys {', '.join(missing)} too; add them")
    return kind(**{name: known[name].metadata["read"](value, f"{where}, {name}") for name, value in given.items()})


def text(value: Any, where: str) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ModelError(f"{where}: expected a text, got {value!r}")
    return value


def whole(value: Any, where: str) -> int:
    """A whole number of at least 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ModelError(f"{where}: expected a whole number of at least 0, got {value!r}")
    return value


def flag(value: Any, where: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ModelError(f"{where}: expected true or false, got {value!r}")
    return value


def number(value: Any, where: str) -> float:
    """Any number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ModelError(f"{where}: expected a number, got {value!r}")
    return float(value)


def one_of(*known: str) -> Reader:
    """Reads one of the words `known`."""

    def read(value: Any, where: str) -> str:
        if value not in known:
            raise ModelError(f"{where}: expected one of {', '.join(known)}, got {value!r}")
        return value

    return read


def list_of(item: Reader, *lengths: int) -> Reader:
    """Reads a list of one of `lengths`, of any if none is given; one value stands for a list of one."""

    def read(value: Any, where: str) -> tuple[Any, ...]:
        values = value if isinstance(value, list) else [value]
        if (lengths and len(values) not in lengths) or not values:
            wanted = " or ".join(map(str, lengths)) or "at least 1"
            raise ModelError(f"{where}: expected {wanted} values, got {value!r}")
        return tuple(item(v, where) for v in values)

    return read
