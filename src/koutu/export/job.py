"""What a converter is given, and what it says of the files it wrote."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from koutu.export.deployed import Deployed
from koutu.export.geometry import Size

Watch = Callable[[int, int, str], None]  # done, of how many, what is going on


@dataclass(frozen=True)
class Job:
    """module: what is converted. folder: to write in; stem: what file names begin with; precision: fp32, fp16, int8.

    name, pixels: for files that say themselves what they are. float32: the ONNX file that int8 began from, or half.
    """

    module: Deployed
    folder: Path
    stem: str
    precision: str
    name: str
    pixels: int

    @property
    def size(self) -> Size:
        """(H, W) to trace with; where any is meant, one that is like no other number in the graph."""
        stride = self.module.network.stride
        geometry = self.module.geometry
        if geometry.size:
            return geometry.size
        least = max(2 * stride, 96 // stride * stride)
        scale = int(1 / geometry.ratio) if geometry.ratio else 1
        return scale * least, scale * (least + stride)

    def path(self, suffix: str) -> Path:
        """Where a file goes."""
        return self.folder / f"{self.stem}{suffix}"


@dataclass(frozen=True)
class Converted:
    """main: the file that is run. names: of tensors in the file where the converter renames them.

    layouts: of inputs and outputs by our names where it changes them; tools: what made it, by version; notes: what a
    user must know.
    """

    main: Path
    files: tuple[Path, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    layouts: Mapping[str, str] = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Versions of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
