"""From what a user names, files, folders, patterns and lists, to items with a target each; mistakes are told first."""

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from koutu.batch.options import ItemOptions, options_of
from koutu.batch.places import Found, contains, found, is_remote, joined, read
from koutu.batch.work import backend_of
from koutu.extras import pip_line
from koutu.media.containers import CONTAINERS
from koutu.media.numbered import ENDINGS
from koutu.types import InputError, KoutuError, ModelError, OutputError

STATE = ".koutu-batch"  # in the target: the record, and what is not finished
LISTS = (".txt", ".csv", ".parquet")
VIDEOS = {
    *CONTAINERS, ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".gif", ".3gp", ".ogv",
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """One video or picture. name: of its result below the target; size, mark: the source's, of `Found`."""

    source: str
    name: str
    options: ItemOptions
    size: int
    mark: str

    @property
    def is_picture(self) -> bool:
        """Whether it is matted alone."""
        return _ending(self.source) in ENDINGS

    @property
    def names(self) -> dict[str, str]:
        """Output of `koutu.convert` → name of the file below the target."""
        whole = PurePosixPath(self.name)
        also = {"alpha": str(whole.with_name(f"{whole.stem}.alpha{self._alpha_suffix}"))} if self.options.alpha else {}
        return {"output": self.name, **also}

    @property
    def _alpha_suffix(self) -> str:
        return f".{self.options.image_format}" if self.is_picture else PurePosixPath(self.name).suffix


def items_of(sources: list[str], target: str, options: ItemOptions) -> list[Item]:
    """Every item, in order; raises a KoutuError, which names the row of a list, before anything is written.

    sources: files, folders, patterns and lists: .txt, a source a line; .csv and .parquet with a column `source`, and
    where wanted `target`, a name below the target, and options of `ItemOptions`, which are this item's alone.
    """
    if not sources:
        raise InputError("expected files, folders, patterns or lists to work on, got none; name some")
    items: list[Item] = []
    taken: dict[str, str] = {}
    checked: set[ItemOptions] = set()
    for where, source, name, own in _rows(sources, options):
        try:
            if own not in checked:
                own.require()
                backend_of(own)
                checked.add(own)
            new = _items(source, target, name, own)
            for item in new:
                _require_free(item, target, taken)
        except KoutuError as error:
            raise type(error)(f"{where}: {error}" if where else str(error)) from error
        items += new
    return items


def _rows(sources: list[str], options: ItemOptions) -> Iterator[tuple[str, str, str, ItemOptions]]:
    """Where it was said, a source, its result's name if one was asked for, its options."""
    for source in sources:
        if _ending(source) not in LISTS:
            yield "", source, "", options
            continue
        for number, row in _listed(source):
            where = f"{source}, row {number}"
            try:
                named = str(row.pop("source", None) or "").strip()
                target = str(row.pop("target", None) or "").strip()
                if not named:
                    raise InputError("expected a source, got none; name a file in the column source")
                yield where, _beside(source, named), target, options_of(row, options)
            except KoutuError as error:
                raise type(error)(f"{where}: {error}") from error


def _listed(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a list, by number from 1 on; of CSV the line with the names is row 1."""
    data, ending = read(path), _ending(path)
    if ending == ".parquet":
        yield from enumerate(_parquet(path, data), 1)
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a list in UTF-8, got other bytes ({error}); convert it") from error
    if ending == ".txt":
        lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
        yield from ((number, {"source": line}) for number, line in lines if line and not line.startswith("#"))
        return
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if "source" not in (reader.fieldnames or ()):
        raise InputError(f"{path}: expected a column source in its first line, got {reader.fieldnames}; name it so")
    for row in reader:
        if None in row or None in row.values():
            raise InputError(
                f"{path}, row {reader.line_num}: expected {len(reader.fieldnames or ())} columns as in the first line, "
                "got another number; quote what has commas in it"
            )
        yield reader.line_num, dict(row)


def _parquet(path: str, data: bytes) -> list[dict[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ModelError(f"{path}: Parquet needs pyarrow, which is not installed; {pip_line('parquet')}") from error
    try:
        table = parquet.read_table(io.BytesIO(data))
    except (ArrowException, OSError) as error:  # the latter for damage within
        raise InputError(f"{path}: expected a Parquet file, got another ({error}); write it anew") from error
    if "source" not in table.column_names:
        raise InputError(f"{path}: expected a column source, got {', '.join(table.column_names)}; name it so")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _items(source: str, target: str, name: str, options: ItemOptions) -> list[Item]:
    folder = source.partition("**")[0].rstrip("/")
    if contains(folder, target) and (is_remote(source) or os.path.isdir(folder)):
        raise OutputError(
            f"{source}: expected a target outside the sources, got {target} in it, where results would be sources; "
            "name another"
        )
    files = [file for file in found(source) if _ending(file.address) in VIDEOS | ENDINGS or file.address == source]
    if not files:
        raise InputError(f"{source}: expected videos or pictures, got none there; name another folder or pattern")
    closed = next((f.address for f in files if not is_remote(f.address) and not os.access(f.address, os.R_OK)), None)
    if closed is not None:
        raise InputError(f"{closed}: expected a file that may be read, got one that may not; change its permissions")
    if name and len(files) > 1:
        raise InputError(f"expected one source for the target {name}, got {len(files)} files; leave the target out")
    return [_item(file, name, options) for file in files]


def _item(file: Found, name: str, options: ItemOptions) -> Item:
    if not name:
        suffix = f".{options.image_format}" if _ending(file.address) in ENDINGS else options.suffix
        return Item(file.address, str(PurePosixPath(file.name).with_suffix(suffix)), options, file.size, file.mark)
    path = PurePosixPath(name)
    picture = _ending(file.address) in ENDINGS
    endings = (".png", ".webp", ".tiff", ".jpg") if picture else tuple(CONTAINERS)
    if path.is_absolute() or ".." in path.parts or is_remote(name) or path.suffix.lower() not in endings:
        raise OutputError(
            f"expected a target below the folder of results that ends in {', '.join(endings)}, got {name}; rename it"
        )
    return Item(file.address, str(path), options, file.size, file.mark)


def _require_free(item: Item, target: str, taken: dict[str, str]) -> None:
    for name in item.names.values():
        if name in taken:
            raise OutputError(
                f"{item.source} and {taken[name]} would both be written to {joined(target, name)}; rename one, or "
                "give one a target in a list"
            )
        taken[name] = item.source
        place = joined(target, name)
        if place == item.source or (os.path.exists(place) and _same(place, item.source)):
            raise OutputError(f"expected an output other than the input, got {place} for both; name another folder")


def _same(place: str, source: str) -> bool:
    return os.path.exists(source) and os.path.samefile(place, source)


def _beside(manifest: str, source: str) -> str:
    """A source as a list names it: from the list's own folder on."""
    if is_remote(source) or Path(source).is_absolute():
        return source
    return joined(manifest.rpartition("/")[0], source) if is_remote(manifest) else str(Path(manifest).parent / source)


def _ending(address: str) -> str:
    return PurePosixPath(address.partition("::")[0]).suffix.lower()
