"""Caffe's two files, by the project's own writer, from an ONNX file of one size."""

from koutu.export.caffe import write_caffe
from koutu.export.job import Converted, Job
from koutu.export.onnx_file import save
from koutu.export.targets.onnx import model_of


def convert(job: Job) -> Converted:
    """NAME.prototxt and NAME.caffemodel; what is beyond the HiLens Kit's list is noted."""
    source = job.path(".onnx")
    save(model_of(job), source)
    found = write_caffe(source, job.folder / job.stem)
    source.unlink()
    notes = tuple(f"beyond the HiLens Kit's list: {sentence}" for sentence in found.beyond)
    return Converted(
        found.caffemodel, (found.prototxt, found.caffemodel), tools=("torch", "onnx", "onnxslim"), notes=notes
    )
