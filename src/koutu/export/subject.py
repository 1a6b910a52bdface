"""The network that is exported, and what must be said of it: where it came from, what it learned from, its licence."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from koutu.files import sha256_of
from koutu.models import MODELS as NETWORKS
from koutu.sizes import near_area
from koutu.types import InputError, ModelError
from koutu.zoo import MODELS as PACKAGED
from koutu.zoo import checkpoint_of, packaged

_WIDE = (720, 1280)  # pictures whose network size tells how many pixels a network is shown


@dataclass(frozen=True)
class Subject:
    """name: for cards and files; kind: of `koutu.models`. pixels: that it is shown. checkpoint, sha256: of its file."""

    name: str
    kind: str
    network: Any
    pixels: int
    licence: str
    data: str
    checkpoint: str = ""
    sha256: str = ""

    def natural_size(self, view: tuple[int, int]) -> tuple[int, int]:
        """(h, w) that it is shown of pictures of (H, W): `pixels` where it remembers alpha, else its authors' size."""
        if self.network.remembers_alpha:
            return near_area(view, self.pixels, self.network.stride)
        return self.network.network_size(view)

    def at_ratio(self, ratio: Fraction | None) -> "Subject":
        """The same with a ratio of its own (RVM's) set, for networks that reduce and refine by themselves."""
        if ratio is None or not self.network.reduces_itself:
            return self
        self.network.cfg = replace(self.network.cfg, downsample_ratio=float(ratio))
        return self

    def picture_only(self) -> "Subject":
        """The same for programs that feed no memory back; raises ModelError where that cannot be."""
        from koutu.export.picture_only import PictureOnly

        return replace(self, network=PictureOnly(self.network))


def subject(model: str, weights: str | Path | None = None, options: Mapping[str, Any] | None = None) -> Subject:
    """Packaged weights by name, a checkpoint .pt of `koutu train`, or a network of the field with `weights`.

    Raises ModelError for others, and for networks that need more than pictures.
    """
    found = _subject(model, weights, dict(options or {}))
    if found.network.needs:
        *others, last = (kind for kind, card in NETWORKS.items() if not card.needs)
        raise ModelError(
            f"expected a network that takes pictures alone, got {found.kind}, which also needs "
            f"{' and '.join(found.network.needs)}; export {', '.join(others)} or {last}"
        )
    return found


def _subject(model: str, weights: str | Path | None, options: dict[str, Any]) -> Subject:
    from koutu.models import build, load_checkpoint, load_own

    if model in NETWORKS:
        card = NETWORKS[model]
        if weights is None:
            raise ModelError(
                f"the weights of {model} are not distributed with koutu; give the published file with --weights, "
                "or --weights random to try the export"
            )
        network = build(model, **options) if str(weights) == "random" else load_checkpoint(weights, model, **options)
        made = Subject(model, model, network, _pixels(network), card.licence, card.paper)
        return made if str(weights) == "random" else _with_file(made, Path(weights))
    if weights is not None or options:
        raise ModelError(f"expected weights and options with a network of the field, got them with {model}; leave out")
    if model in PACKAGED:
        card = PACKAGED[model]
        if card.float32:
            precision = card.file.rpartition("-")[2].partition(".")[0]
            raise ModelError(f"expected {card.float32} with --precision {precision} to export, got {model}; name it so")
        packaged(model)  # checks that the files are whole
        path = checkpoint_of(model)
        made = Subject(model, card.network, load_own(path, card.network), card.pixels, card.licence, card.data)
        return _with_file(made, path)
    if model.endswith(".pt"):
        path = Path(model)
        if not path.is_file():
            raise ModelError(f"expected a checkpoint at {path}, found no such file; check the path")
        network = load_own(path, "modnet")
        made = Subject(path.stem, _kind(network), network, _pixels(network), "not said: of your own training", "yours")
        return _with_file(made, path)
    raise ModelError(
        f"expected packaged weights ({', '.join(PACKAGED)}), a checkpoint .pt of `koutu train`, or a network of "
        f"`koutu models` with --weights, got {model!r}; .onnx files are made from these"
    )


def _kind(network: Any) -> str:
    name = f"{type(network).__module__}:{type(network).__name__}"
    return next(kind for kind, card in NETWORKS.items() if card.network == name)


def _pixels(network: Any) -> int:
    height, width = network.network_size(_WIDE)
    return height * width


def _with_file(made: Subject, path: Path) -> Subject:
    return replace(made, checkpoint=path.name, sha256=sha256_of(path))


def parse_ratio(text: str) -> Fraction | None:
    """ "1/4", "0.25" → 1/4; empty: None. Raises InputError."""
    if not text:
        return None
    try:
        ratio = Fraction(text).limit_denominator(100)
    except (ValueError, ZeroDivisionError) as e:
        raise InputError(f"expected a ratio such as 1/4 or 0.25, got {text!r}") from e
    if not 0 < ratio <= 1:
        raise InputError(f"expected a ratio above 0 and at most 1, got {text}; for example 1/4")
    return ratio
