"""Caffe's two files from an ONNX file of one size."""

from dataclasses import dataclass, replace
from pathlib import Path

from koutu.export.caffe.kit import beyond_kit
from koutu.export.caffe.net import Depthwise, Dialect, Gate, Net
from koutu.export.caffe.node import read
from koutu.export.caffe.translate import Translation
from koutu.files import whole_file
from koutu.types import OutputError


@dataclass(frozen=True)
class CaffeFiles:
    """The network as text, and its weights. beyond: what in it the kit's list does not allow, a sentence a layer."""

    prototxt: Path
    caffemodel: Path
    beyond: tuple[str, ...] = ()


def files_of(prefix: str | Path) -> CaffeFiles:
    """The two names that begin with `prefix`."""
    return CaffeFiles(Path(f"{prefix}.prototxt"), Path(f"{prefix}.caffemodel"))


def write_caffe(
    onnx_path: str | Path, prefix: str | Path, *, depthwise: Depthwise = "Convolution", gate: Gate = "Scale"
) -> CaffeFiles:
    """Write PREFIX.prototxt and PREFIX.caffemodel, which do what the ONNX file does, borders included.

    The file must be float32 and of one size, inputs (1, C, H, W), as `koutu.export.fixed.fixed_onnx` writes it; names
    of inputs and outputs stay. depthwise, gate: what forks of Caffe have different layers for, see
    `koutu.export.caffe.net.Dialect`. Raises InputError for another file, ModelError for a node that Caffe's layers
    cannot do, OutputError if the files cannot be written; then there are neither.
    """
    graph = read(Path(onnx_path))
    net = Net(Dialect(depthwise, gate), {*graph.inputs, *graph.outputs})
    Translation(graph, net).run()
    text, binary = net.texts()
    files = files_of(prefix)
    fresh = not files.prototxt.exists()
    try:
        with whole_file(files.caffemodel) as model, whole_file(files.prototxt) as prototxt:
            prototxt.write(text.encode())
            model.write(binary)
    except OSError as e:
        if fresh:
            files.prototxt.unlink(missing_ok=True)  # it took its name before the other could not
        raise OutputError(f"{prefix}.prototxt and .caffemodel could not be written: {e}; choose another place") from e
    return replace(files, beyond=tuple(beyond_kit(net.message.layer, net.shapes)))
