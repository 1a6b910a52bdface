"""OpenVINO's own files, made of the ONNX file."""

from koutu.export.job import Converted, Job
from koutu.export.onnx_file import save
from koutu.export.targets.onnx import model_of
from koutu.types import ModelError


def convert(job: Job) -> Converted:
    """NAME.xml and NAME.bin; fp16: weights in half floats. int8: of the job's NAME.onnx, which is there already."""
    import openvino as ov

    source = job.path(".onnx")
    made = not source.is_file()
    if made:
        save(model_of(job), source)
    try:
        model = ov.convert_model(source)
    except Exception as e:  # OpenVINO's own kinds
        raise ModelError(f"OpenVINO cannot read {job.name}: {str(e).strip()[-400:]}; export --to onnx instead") from e
    ov.save_model(model, job.path(".xml"), compress_to_fp16=job.precision == "fp16")
    source.unlink()
    files = (job.path(".xml"), job.path(".bin"))
    return Converted(files[0], files, tools=("torch", "onnx", "onnxslim", "openvino"))
