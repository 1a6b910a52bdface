"""A folder with all that an .om file is built from and run by: network, AIPP, commands, card and explanation."""

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from koutu.export.ascend.build import build, scripts
from koutu.export.ascend.card import card_content, save
from koutu.export.ascend.options import PackageOptions
from koutu.export.ascend.ports import Ports, ports
from koutu.export.ascend.readme import readme
from koutu.export.ascend.rewrite import Rewritten, half_weights, rewrite
from koutu.export.caffe import write_caffe
from koutu.export.onnx_file import save as save_onnx
from koutu.types import InputError, ModelError, OutputError

AIPP = "aipp.cfg"

Tell = Callable[[str], None]


@dataclass
class _Work:
    """What is known of a package while it is made in the folder `part`."""

    part: Path
    name: str
    ports: Ports
    rewritten: Rewritten
    notes: list[str]
    beyond: tuple[str, ...] = ()


def write_package(
    source: Path | Any,
    out: Path,
    *,
    size: tuple[int, int] | None = None,
    tell: Tell = lambda line: None,
    **options: Any,
) -> list[Path]:
    """Write the folder `out` for a fixed-size ONNX file (float32 src (1, 3, H, W) and memory in), or for a network.

    source: the file's path, or an nn.Module of koutu.models, of which a file for `size` (H, W) is made. options: the
    fields of `koutu.export.ascend.options.PackageOptions`. Operators that the chip's list does not know are written
    otherwise; the package must then answer as the network does on 60 frames of the packaged sample. Runs atc if it is
    on PATH; `tell` hears what was done and what was not. Returns the files' paths. The folder appears whole or not at
    all. Raises InputError for options that cannot be, ModelError for operators that remain and if atc fails,
    ParityError, OutputError for a folder that holds something.
    """
    chosen = _options(options)
    out = Path(out).absolute()
    _require_free(out)
    part = out.with_name(f".{secrets.token_hex(4)}.part")
    try:
        part.mkdir()
        _fill(part, source, size, chosen, chosen.name or out.name, tell)
        part.replace(out)
    except OSError as e:
        raise (
            e if isinstance(e, OutputError) else OutputError(f"{out} could not be written ({e}); choose another")
        ) from e
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return sorted(path for path in out.rglob("*") if path.is_file())


def _options(given: dict[str, Any]) -> PackageOptions:
    try:
        return PackageOptions(**given)
    except TypeError as e:
        known = ", ".join(PackageOptions.__dataclass_fields__)
        raise InputError(f"expected options out of {known}, got {', '.join(given)}; mind the spelling") from e


def _require_free(out: Path) -> None:
    if not out.parent.is_dir():
        raise OutputError(f"{out}: expected a place that is there, found no {out.parent}; make it first")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out}: expected a new or empty folder, got one that holds something; name another")


def _fill(
    part: Path, source: Any, size: tuple[int, int] | None, options: PackageOptions, name: str, tell: Tell
) -> None:
    from koutu.export.ascend.parity import Exact, difference, require

    plain = part / ".plain.onnx"
    _plain(source, size, plain)
    found = ports(plain, size)
    aipp = options.aipp(found.size)
    conversion = options.conversion(name, found.inputs, tuple(found.states))
    work = _Work(part, name, found, _rewritten(plain, options), [])
    save_onnx(half_weights(work.rewritten.model), part / f"{name}.onnx")
    if options.with_caffe:
        work.beyond = _caffe(plain, part, name)
    paths = scripts(part, conversion, aipp, AIPP, caffe=options.with_caffe, kit=options.is_310 and options.with_caffe)
    card = part / "card.json"
    content = card_content(part, name, found, aipp, options)
    save(card, content)
    exact = Exact(plain, aipp, found.src, found.states, found.pha)
    figures = difference(card, exact)
    require(figures)
    plain.unlink()
    built = build(part, conversion, paths[0], tell)
    save(card, card_content(part, name, found, aipp, options, figures=figures, built=built))
    (part / "README.md").write_text(
        readme(conversion, aipp, options, work.rewritten, work.beyond, figures, built), "utf-8"
    )


def _plain(source: Any, size: tuple[int, int] | None, path: Path) -> None:
    """The network as it is, at `path`."""
    if isinstance(source, str | Path):
        if not Path(source).is_file():
            raise InputError(f"expected an ONNX file at {source}, found none; check the path")
        shutil.copyfile(source, path)
        return
    if size is None:
        raise InputError("expected a size (H, W) with a network, got none; give what the camera's picture is scaled to")
    from koutu.export.fixed import fixed_onnx

    fixed_onnx(source, path, size)


def _rewritten(plain: Path, options: PackageOptions) -> Rewritten:
    found = rewrite(plain, options.list_name)
    if found.left:
        raise ModelError(
            f"expected only operators of the list {options.list_name!r} ({options.soc}), got:\n"
            + "\n".join(f"  {finding}" for finding in found.left)
        )
    return found


def _caffe(plain: Path, part: Path, name: str) -> tuple[str, ...]:
    """NAME.prototxt and NAME.caffemodel; sentences about what in them the kit's list does not allow."""
    import onnx

    half = part / ".half.onnx"
    save_onnx(half_weights(onnx.load(plain)), half)
    try:
        return write_caffe(half, part / name, depthwise="DepthwiseConvolution").beyond  # as the kit's list has it
    finally:
        half.unlink()
