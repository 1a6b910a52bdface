"""Which image goes where: the naming rules of `koutu image`."""

import os
import sys
from pathlib import Path
from typing import IO

from koutu.types import OutputError


def jobs(sources: list[str], output: str) -> list[tuple[Path | IO[bytes], Path | IO[bytes]]]:
    """Pairs of source and target. `output` is "-", a file for a single source, or a folder.

    Raises OutputError before anything is written, so that no target takes the place of a source still to be read.
    """
    if output == "-" and len(sources) > 1:
        raise OutputError(f"expected one image when writing to standard output, got {len(sources)}; give -o a folder")
    named_file = bool(Path(output).suffix) and not output.endswith(("/", os.sep)) and not Path(output).is_dir()
    if named_file and len(sources) > 1:
        raise OutputError(f"expected a folder for {len(sources)} images, got the file name {output}; write {output}/")
    pairs: list[tuple[Path | IO[bytes], Path | IO[bytes]]] = []
    targets: dict[Path, str] = {}
    for source in sources:
        read = sys.stdin.buffer if source == "-" else Path(source)
        if output == "-":
            pairs.append((read, sys.stdout.buffer))
            continue
        stem = "stdin" if source == "-" else Path(source).stem
        target = Path(output) if named_file else Path(output) / f"{stem}.png"
        if target in targets:
            raise OutputError(
                f"{source} and {targets[target]} would both be written to {target}; rename one or use another folder"
            )
        if source != "-" and target.exists() and Path(source).exists() and os.path.samefile(source, target):
            raise OutputError(f"expected an output other than the input, got {target} for both; name another folder")
        targets[target] = source
        pairs.append((read, target))
    return pairs
