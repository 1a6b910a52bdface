"""One network, quantised again and again with other layers in eight bits, and what that does to its alpha."""

import contextlib
import copy
import io
import logging
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.onnxruntime import OnnxBackend
from koutu.export.onnx_file import save
from koutu.export.trace import describe

PERCENTILE = 99.99  # of an activation that its scale must hold; what is beyond is cut

Feeds = dict[str, NDArray[Any]]  # inputs of one frame by name


class Trial:
    """A file in a private folder that is written again and again, with other layers in eight bits each time."""

    def __init__(self, folder: Path, source: Path, recordings: Sequence[Sequence[Feeds]]):
        from onnxruntime.quantization import shape_inference

        self.plain, self.file = folder / "plain.onnx", folder / "trial.onnx"
        with _quiet():
            shape_inference.quant_pre_process(str(source), str(self.plain), skip_symbolic_shape=True)
        network = OnnxBackend(source)
        self.card = network.card
        size = _shapes(recordings[0][0])  # histograms are of pictures of one size
        self.scales = [feeds for clip in recordings[::2] for feeds in clip if _shapes(feeds) == size]
        self.checks = [feeds for clip in recordings[1::2] for feeds in clip]
        self.true = [network.run(feeds)["pha"] for feeds in self.checks]

    def layers(self) -> list[str]:
        """Convolutions over more than one position: what is done to a vector costs nothing."""
        import onnx

        model = onnx.load(self.plain)
        convolutions = {node.output[0]: node.name for node in model.graph.node if node.op_type == "Conv"}
        model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in convolutions)
        onnx.save(model, self.file)
        values = OnnxBackend(self.file).run(self.checks[0])
        return [name for output, name in convolutions.items() if values[output][0, 0].size > 1]

    def write(self, layers: Collection[str]) -> None:
        """The file with these layers in eight bits."""
        if not layers:
            self.file.write_bytes(self.plain.read_bytes())
            return
        import onnx
        from onnxruntime.quantization import QDQQuantizer, QuantType

        with _quiet():
            quantiser: Any = QDQQuantizer(
                onnx.load(self.plain), per_channel=True, reduce_range=False, weight_qType=QuantType.QInt8,
                activation_qType=QuantType.QUInt8, tensors_range=copy.deepcopy(self._ranges),
                nodes_to_quantize=list(layers), nodes_to_exclude=[], op_types_to_quantize=["Conv"], extra_options={},
            )  # fmt: skip
            quantiser.quantize_model()
        quantiser.model.save_model_to_file(str(self.file), False)

    @cached_property
    def _ranges(self) -> Any:
        """What every tensor's scale must hold, of the frames that give scales: the same for all choices of layers."""
        from onnxruntime.quantization import CalibrationMethod, create_calibrator

        with _quiet():
            calibrator: Any = create_calibrator(
                self.plain, augmented_model_path=str(self.file.with_name("observed.onnx")),
                calibrate_method=CalibrationMethod.Percentile, extra_options={"percentile": PERCENTILE},
            )  # fmt: skip
            calibrator.collect_data(_Reader(self.scales))
            return calibrator.compute_data()

    def error(self) -> float:
        """Mean |difference to float32| × 1000 over the clips that gave no scales, each frame with the true memory."""
        network = OnnxBackend(self.file)
        found = [np.abs(network.run(f)["pha"] - true).mean() for f, true in zip(self.checks, self.true, strict=True)]
        return 1000 * float(np.mean(found))

    def save(self, out: Path, card: dict[str, Any]) -> None:
        """The file as it is, with a card."""
        import onnx

        model = onnx.load(self.file)
        describe(model, card)
        save(model, out)


def _shapes(feeds: Feeds) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in feeds.items()}


class _Reader:
    """Feeds one by one, in the way that ONNX Runtime asks for them."""

    def __init__(self, feeds: Sequence[Feeds]):
        self._feeds = iter(feeds)

    def get_next(self) -> Feeds | None:
        return next(self._feeds, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """ONNX Runtime's quantiser prints and warns of steps that are done here already."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
