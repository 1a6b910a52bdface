"""What a package for an Ascend chip may be asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from koutu.engines.ascend.aipp import Aipp
from koutu.export.ascend.aipp import Size, Three, aipp_for, color_space
from koutu.export.ascend.commands import Conversion


@dataclass(frozen=True)
class PackageOptions:
    """name: of the files; empty: the folder's. soc: as of `Conversion`.

    source_format, matrix, full_range, camera (H, W), at, padding, mean, std: the picture's way in, as of `aipp_for`;
    the defaults are a camera of the HiLens Kit and a network of koutu. memory_type, precision, implementation: as of
    `Conversion`. operators: the list that must be kept, "kit" or "cann"; None: the kit's for Ascend310. caffe: whether
    Caffe files are written too, for omg; None: for Ascend310. about: more for the card, licence and origin.
    """

    name: str = ""
    soc: str = "Ascend310"
    source_format: str = "nv21"
    matrix: str = "bt601"
    full_range: bool = False
    camera: Size | None = None
    at: tuple[int, int] | None = None
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    mean: Three = (0.0, 0.0, 0.0)
    std: Three = (1.0, 1.0, 1.0)
    memory_type: str = "FP32"
    precision: str = "force_fp16"
    implementation: str = "high_precision"
    operators: str | None = None
    caffe: bool | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_310(self) -> bool:
        """Whether it is the HiLens Kit's chip."""
        return self.soc == "Ascend310"

    @property
    def list_name(self) -> str:
        """The list of operators to keep to."""
        return self.operators or ("kit" if self.is_310 else "cann")

    @property
    def with_caffe(self) -> bool:
        """Whether Caffe files are written."""
        return self.is_310 if self.caffe is None else self.caffe

    def aipp(self, size: Size) -> Aipp:
        """The picture's way into a network of (H, W); raises InputError."""
        return aipp_for(
            size, self.source_format, color_space(self.matrix, self.full_range), source=self.camera, at=self.at,
            padding=self.padding, mean=self.mean, std=self.std,
        )  # fmt: skip

    def conversion(self, name: str, shapes: Mapping[str, tuple[int, ...]], memory: tuple[str, ...]) -> Conversion:
        """What the commands are written of; raises InputError."""
        return Conversion(
            name, self.soc, shapes, memory, memory_type=self.memory_type, precision=self.precision,
            implementation=self.implementation,
        )  # fmt: skip
