"""TFLite files by litert-torch, which lives in an environment of its own: it is 2 GB large and pins other packages.

KOUTU_LITERT_PYTHON names that environment's interpreter. The network goes there as an exported program (.pt2).
"""

import subprocess
import tempfile
import warnings
from pathlib import Path

import torch

from koutu.export.job import Converted, Job
from koutu.export.targets.tools import litert_python
from koutu.types import ModelError

PROGRAM = Path(__file__).with_name("tflite_program.py")
SECONDS = 1800  # after which the conversion is stopped


def convert(job: Job) -> Converted:
    """NAME.tflite, its tensors under their names of the signature; ModelError, with commands, without litert-torch."""
    from koutu.engines.graph import open_graph

    python = litert_python()
    names, out = job.module.names, job.path(".tflite")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = Path(folder) / "net.pt2"
        with torch.no_grad():
            torch.export.save(torch.export.export(job.module, tuple(job.module.example(job.size).values())), program)
        # isolated: the modules beside the program have names of libraries
        command = [python, "-I", str(PROGRAM), str(program), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode or not out.is_file():
        reason = (done.stderr.strip() or done.stdout.strip())[-500:]
        raise ModelError(f"litert-torch could not convert {job.name}: {reason}; export --to onnx instead")
    graph = open_graph(out, "tflite")
    renamed = dict(zip(names.inputs, sorted(graph.inputs), strict=True))
    renamed |= dict(zip(names.outputs, sorted(graph.outputs), strict=True))
    return Converted(out, (out,), renamed, tools=("torch",), notes=(done.stdout.strip().splitlines()[-1],))
