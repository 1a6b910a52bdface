"""ncnn's files, by pnnx from the traced network."""

import subprocess
import warnings
from pathlib import Path
from typing import Any

import torch

from koutu.engines.exported.graphs import NcnnGraph
from koutu.export.job import Converted, Job
from koutu.types import ModelError

SECONDS = 600  # after which pnnx is stopped


def convert(job: Job) -> Converted:
    """NAME.param and NAME.bin, tensors (C, h, w); fp16: weights in half floats."""
    import pnnx

    module, names = job.module, job.module.names
    example = module.example(job.size)
    work = job.folder / "pnnx"
    work.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module.one_by_one = True
        traced: Any = torch.jit.trace(module, tuple(example.values()), check_trace=False)
        traced.save(str(work / "net.pt"))
        module.one_by_one = False
    shapes = ",".join("[" + ",".join(map(str, x.shape)) + "]" for x in example.values())
    command = [pnnx.EXEC_PATH, "net.pt", f"inputshape={shapes}", f"fp16={int(job.precision == 'fp16')}"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=SECONDS, check=False)
    param, weights = work / "net.ncnn.param", work / "net.ncnn.bin"
    if done.returncode or not param.is_file() or not weights.is_file():
        raise ModelError(f"pnnx could not convert {job.name}: {(done.stderr or done.stdout).strip()[-400:]}; --to onnx")
    refused = [line.strip() for line in done.stdout.splitlines() if "not supported" in line]
    if refused:
        raise ModelError(f"ncnn cannot do {job.name}: {'; '.join(dict.fromkeys(refused))}; export --to onnx instead")
    require_layers(param, job.name)
    param.replace(job.path(".param"))
    weights.replace(job.path(".bin"))
    names_in = {name: f"in{i}" for i, name in enumerate(names.inputs)}
    names_out = {name: f"out{i}" for i, name in enumerate(names.outputs)}
    layouts = dict.fromkeys((*names.inputs, *names.outputs), "CHW")
    files = (job.path(".param"), job.path(".bin"))
    try:
        NcnnGraph(files[0], 1, half=job.precision == "fp16")
    except ModelError as e:
        raise ModelError(f"ncnn cannot read what pnnx made of {job.name}; export --to onnx or openvino instead") from e
    return Converted(files[0], files, names_in | names_out, layouts, ("torch", "pnnx", "ncnn"))


def require_layers(param: Path, name: str) -> None:
    """Raise ModelError where pnnx left an operator that ncnn has no layer for: such a name has a dot or colons."""
    kinds = {line.split()[0] for line in param.read_text().splitlines()[2:] if line.strip()}
    if unknown := sorted(kind for kind in kinds if "." in kind or "::" in kind):
        raise ModelError(f"ncnn has no layer for {', '.join(unknown)} of {name}; export --to onnx or openvino instead")
