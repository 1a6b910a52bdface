"""The Kit's accelerator, simulated: an ONNX file of fixed shape and its AIPP text stand for NAME.om.

What was built into an .om by omg or atc with --insert_op_conf is done here before the network: bytes of the input that
the text names become its floats. Inputs and outputs are rounded to half floats, as they are on the device; the
arithmetic between is the host's, in float32.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.ascend.aipp import Aipp, read_aipp
from koutu.hilens_simulator.session import Session
from koutu.types import ModelError

WRONG_SIZE = 17  # the framework's HIAI_INFER_ERROR

Log = Callable[[str, str], None]  # level and text


class Accelerator:
    """All models of a process: they share the count of loadings and inferences, and the faults."""

    def __init__(self, session: Session, log: Log):
        self.session, self.plan, self._log = session, session.plan, log
        self.loaded = self.inferred = 0
        self._told: set[str] = set()

    def load(self, path: str) -> "Network":
        """The network that stands for the .om at `path`; raises ModelError."""
        self.loaded += 1
        if self.plan.at("load", self.loaded):
            raise ModelError("the model cannot be loaded: a fault of the plan")
        name = Path(path).stem
        onnx = _beside(path, self.session, self.session.onnx, f"{name}.onnx")
        if onnx is None:
            onnx = _only_one(path, self.session)
            self.tell("WARNING", f"{name}.om: found no {name}.onnx; {onnx.name}, the only one here, stands for it")
        text = _beside(path, self.session, self.session.aipp, f"{name}.cfg", "aipp.cfg")
        return Network(self, onnx, read_aipp(text) if text else [])

    def tell(self, level: str, text: str) -> None:
        """A line in the log, the first time that it is said."""
        if text not in self._told:
            self._told.add(text)
            self._log(level, text)


class Network:
    """A network of fixed shape on ONNX Runtime."""

    def __init__(self, accelerator: Accelerator, path: Path, aipp: Sequence[Aipp]):
        import onnxruntime as ort

        self._accelerator = accelerator
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as e:  # ONNX Runtime's own types
            raise ModelError(f"{path}: expected an ONNX file, got something else ({e})") from e
        self._inputs = self._session.get_inputs()
        for value in self._inputs:
            if not all(isinstance(side, int) for side in value.shape):
                raise ModelError(f"{path}: expected fixed sizes, got {value.shape} of {value.name}; export it fixed")
        self._aipp = {op.rank: op for op in aipp}

    def infer(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]] | int:
        """Flat uint8 or float32 arrays in the model's order → flat float32 arrays, or an error code."""
        for given in inputs:
            if given.dtype not in (np.uint8, np.float32) or given.ndim != 1:
                raise ValueError("input dtype not supported! (valid dtype: uint8, float32)")
        self._accelerator.inferred += 1
        plan, number = self._accelerator.plan, self._accelerator.inferred
        code = plan.at("infer", number, str(WRONG_SIZE))
        if code is not None:
            return int(code)
        if problem := self._problem(inputs):
            self._accelerator.tell("ERROR", f"infer: {problem}; it returns the error code {WRONG_SIZE}")
            return WRONG_SIZE
        feeds = {}
        for rank, (given, value) in enumerate(zip(inputs, self._inputs, strict=True)):
            op = self._aipp.get(rank)
            tensor = op(given.view(np.uint8)) if op else _half(given.view(np.float32)).reshape(value.shape)
            feeds[value.name] = tensor
        outputs = [_half(np.asarray(out).reshape(-1)) for out in self._session.run(None, feeds)]
        return [np.full_like(out, np.nan) for out in outputs] if plan.at("nan", number) else outputs

    def _problem(self, inputs: Sequence[NDArray[Any]]) -> str:
        """What the device would refuse, in words; empty if all is as built."""
        names, count = [value.name for value in self._inputs], len(self._inputs)
        if len(inputs) != count:
            memory = f" ({names[1]} is the network's memory: --article exports one without)" if count > 1 else ""
            kinds = f"{count} input{'s' * (count > 1)} expected, got {len(inputs)}"
            return f"{kinds}: the model takes {', '.join(names)}{memory}"
        for rank, (given, value) in enumerate(zip(inputs, self._inputs, strict=True)):
            op = self._aipp.get(rank)
            size = op.size if op else 4 * int(np.prod(value.shape))
            if given.nbytes != size:
                as_what = f"uint8 {op.kind} of {op.source[1]}x{op.source[0]}" if op else f"float32 {value.shape}"
                came = f"got {given.nbytes} of {given.dtype}"
                return f"input {rank + 1}, {value.name}: {size} bytes expected, {as_what}, {came}"
            if op and [1, 3, *op.output] != list(value.shape):
                return f"input {rank + 1}, {value.name}: AIPP makes {op.output} of it, the model takes {value.shape}"
        return ""


def _only_one(path: str, session: Session) -> Path:
    """The skill's one network under another name; raises ModelError where there are none or several."""
    found = sorted({*Path(path).parent.glob("*.onnx"), *(Path(session.skill) / "build").glob("*.onnx")})
    if len(found) != 1:
        several = f" among {', '.join(one.name for one in found)}" if found else ""
        name = f"{Path(path).stem}.onnx"
        raise ModelError(f"{path}: expected {name} beside it or in build/, found none{several}; give it by --onnx")
    return found[0]


def _beside(path: str, session: Session, given: str, *names: str) -> Path | None:
    """The file given, or one of those names beside the .om or in the skill's build/."""
    if given:
        return Path(given)
    places = (folder / name for folder in (Path(path).parent, Path(session.skill) / "build") for name in names)
    return next((place for place in places if place.is_file()), None)


def _half(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float16).astype(np.float32)
