"""What is measured: models × engines × precisions × threads × sizes, as far as they exist."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from koutu import third_party
from koutu.bench.cost import Cost, Shape, onnx_cost
from koutu.bench.plan import BenchPlan, Size
from koutu.classical import METHODS
from koutu.engines.backend import Backend, NetworkShape
from koutu.engines.described.backend import DescribedBackend
from koutu.engines.described.description import GREY, PictureInput, read_description
from koutu.engines.described.per_size import at_size
from koutu.engines.exported.backend import ExportedBackend, card_of
from koutu.engines.exported.card import ExportCard, read_card
from koutu.engines.exported.graphs import ENGINES as EXPORTED
from koutu.engines.table import ENGINES
from koutu.engines.wrapped import unwrapped
from koutu.models import MODELS as NETWORKS
from koutu.types import ModelError
from koutu.zoo import DEFAULT_ENGINE, MODELS, WEIGHTS, load_named

PRECISIONS = ("fp32", "fp16", "int8")
_ENDING = re.compile(rf"[-_.]({'|'.join(PRECISIONS)})$")


@dataclass(frozen=True)
class Case:
    """One thing to measure. spec: what `zoo.load_named` takes; name: what it goes by; the rest as `zoo.load` has it.

    fault: why there is nothing to run.
    """

    name: str
    spec: str = field(compare=False)
    file: str  # of the weights; "" where there is none
    engine: str
    precision: str
    threads: int
    size: Size
    device: str = "cpu"
    fault: str = ""

    def open(self) -> Backend:
        """The backend, ready to run; raises ModelError."""
        if self.fault:
            raise ModelError(self.fault)
        return load_named(self.spec, engine=self.engine, device=self.device, threads=self.threads)

    def cost(self, backend: Backend) -> Cost:
        """File, parameters and MACs of what was opened, for this case's size."""
        path, name = weights_file(self.spec), self.spec.partition("=")[0]
        seen = backend.network_size(self.size)
        if path is not None and path.suffix == ".onnx":
            return onnx_cost(path, _input_shapes(backend, seen), seen)
        size = path.stat().st_size if path else None
        if card := NETWORKS.get(name):
            macs = round(card.gmacs * 1e9)
            return Cost(path.name if path else None, size, card.params, macs, card.at, "fp32", "card")
        return Cost(path.name if path else None, size)


def cases(specs: Sequence[str], plan: BenchPlan) -> list[Case]:
    """All of a plan, by size and threads, the reference first among its like."""
    return [
        replace(variant, size=size, threads=threads)
        for size in plan.sizes
        for variants in [_variants([at_size(spec, size) for spec in (plan.against, *specs)], plan)]
        for threads in plan.threads
        for variant in variants
    ]


def _variants(specs: Sequence[str], plan: BenchPlan) -> list[Case]:
    """Engines and precisions of every spec, of which the first is the reference."""
    names = _names(specs)
    reference = next(_of(specs[0], names, replace(plan, engines=(), precisions=())))
    return list(dict.fromkeys([reference, *(v for spec in specs[1:] for v in _of(spec, names, plan))]))


def weights_file(spec: str) -> Path | None:
    """Where the weights of a spec lie, if in a file."""
    name, given, weights = spec.partition("=")
    if given:
        return None if weights == "random" else Path(weights)
    if name in MODELS:
        return WEIGHTS / MODELS[name].file
    if card := _card(name):
        return card.path.parent / card.main
    return Path(name) if name.endswith(".onnx") else None


def engines_of(spec: str) -> tuple[str, ...]:
    """The engines that run a spec, its default first."""
    name = spec.partition("=")[0]
    if name in NETWORKS:
        return ("torch",)
    if name in METHODS:
        return ("pymatting",)
    if name.endswith((".yaml", ".yml")) or name in third_party.names():
        described = read_description(Path(name) if "." in name else third_party.path(name))
        return ("onnxruntime",) if described.format == "onnx" else ("litert",)
    if card := _card(name):
        return EXPORTED.get(card.target, (DEFAULT_ENGINE,))  # packages for chips are simulated
    return (DEFAULT_ENGINE, *(engine for engine in ENGINES if engine != DEFAULT_ENGINE))


def _of(spec: str, names: dict[str, str], plan: BenchPlan) -> Iterator[Case]:
    """A spec's engines and precisions that the plan wants; one case with its fault where it has none of them."""
    blank = Case(names[spec], spec, "", "", "", 0, (0, 0), plan.device)
    try:
        path = weights_file(spec)
        blank = replace(blank, file=path.name if path else "")
        has = engines_of(spec)
        engines = [engine for engine in plan.engines if engine in has] if plan.engines else has[:1]
        files = _precisions(spec, path, plan.precisions)
    except (ModelError, OSError) as e:
        yield replace(blank, fault=str(e))
        return
    if not engines:
        yield replace(blank, fault=f"expected an engine out of {', '.join(has)}, got {', '.join(plan.engines)}")
    if not files:
        yield replace(blank, fault=f"expected weights in {', '.join(plan.precisions)}, found no such file beside it")
    for (precision, (found, file)), engine in itertools.product(files.items(), engines):
        yield replace(blank, spec=found, file=file, engine=engine, precision=precision)


def _precisions(spec: str, path: Path | None, wanted: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Precision → the spec and file name that have it: the file given, or one beside it called NAME-PRECISION.onnx."""
    name = spec.partition("=")[0]
    card = _card(name)
    if path is None or path.suffix != ".onnx" or not path.is_file():
        own = str(card.content.get("precision", "unknown")) if card else "fp32" if name in NETWORKS else "unknown"
        return {own: (spec, path.name if path else "")} if not wanted or own in wanted else {}
    own = onnx_cost(path, {}).precision
    found = {}
    for precision in wanted or [own]:
        stem = _ENDING.sub("", path.stem)
        beside = [path.with_name(f"{stem}{sign}{precision}.onnx") for sign in "-_."]
        file = path if precision == own else next((other for other in beside if other.is_file()), None)
        if file is not None:
            changed = spec if file == path else f"{name}={file}" if "=" in spec else str(file)
            found[precision] = changed, file.name
    return found


def _names(specs: Sequence[str]) -> dict[str, str]:
    """Spec → a name for tables: the model's or the file's, both where one model comes with several files."""
    once = list(dict.fromkeys(specs))
    plain = {
        s: s.partition("=")[0] if "=" in s else Path(s).stem if s.endswith((".onnx", ".json")) else s for s in once
    }
    shared = {name for name in plain.values() if list(plain.values()).count(name) > 1}
    return {s: f"{name} {Path(s.partition('=')[2] or s).stem}" if name in shared else name for s, name in plain.items()}


def _card(name: str) -> ExportCard | None:
    """Of what `koutu export` wrote, if that is what is named; its files are checked when they are opened."""
    found = None if name in MODELS or name in NETWORKS else card_of(name)
    return read_card(found, check_files=False) if found else None


def _input_shapes(backend: Backend, seen: Size) -> dict[str | int, Shape]:
    """Shapes of the inputs by name or place, for the sides that a graph leaves open."""
    backend = unwrapped(backend)
    if isinstance(backend, ExportedBackend):
        feeds = backend.feeds(np.zeros((*seen, 3), np.uint8), backend.initial_state(seen))
        return {name: tensor.shape for name, tensor in feeds.items()}
    if isinstance(backend, NetworkShape):
        return {"rgb": (1, *seen, 3), **{name: (1, 1, *seen) for name in backend.states}}
    if not isinstance(backend, DescribedBackend):
        return {}
    height, width = backend.description.size.canvas(seen, None)
    pictures = {n: entry for n, entry in backend.description.inputs.items() if isinstance(entry, PictureInput)}
    channels = {name: 1 if entry.kind in GREY else 3 for name, entry in pictures.items()}
    return {
        name: (1, height, width, channels[name]) if entry.layout == "NHWC" else (1, channels[name], height, width)
        for name, entry in pictures.items()
    }
