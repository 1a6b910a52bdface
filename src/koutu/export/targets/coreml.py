"""Core ML packages. They are made on any system; only macOS and iOS run them."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from koutu.export.deployed import Deployed
from koutu.export.job import Converted, Job
from koutu.types import ModelError

NOTE = "parity not verified here: Core ML runs on macOS and iOS alone; run `koutu video --model CARD` there"


def convert(job: Job) -> Converted:
    """NAME.mlpackage for iOS 15 and macOS 12 on; pictures inside: an RGB image, scaled to [0, 1] by Core ML."""
    import numpy as np

    with _quiet():
        import coremltools as ct
    module, names = job.module, job.module.names
    height, width = job.size
    plain = Deployed(module.network, module.geometry, inside=False, refine=module.refine)  # an image comes in [0, 1]
    example = tuple(plain.example(job.size).values())
    if module.inside:
        picture: Any = ct.ImageType(names.source, (1, 3, height, width), scale=1 / 255, color_layout=ct.colorlayout.RGB)
    else:
        picture = ct.TensorType(names.source, (1, 3, height, width), dtype=np.float32)
    memory = [
        ct.TensorType(name, tuple(x.shape), dtype=np.float32) for name, x in zip(names.states, example[1:], strict=True)
    ]
    half = job.precision == "fp16"
    with _quiet():
        traced = torch.jit.trace(plain, example, check_trace=False)
        try:
            package: Any = ct.convert(
                traced, inputs=[picture, *memory], convert_to="mlprogram", minimum_deployment_target=ct.target.iOS15,
                outputs=[ct.TensorType(name, dtype=np.float32) for name in names.outputs],
                compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32, skip_model_load=True,
            )  # fmt: skip
        except Exception as e:  # coremltools raises kinds of its own
            raise ModelError(f"Core ML has no operator for {job.name}: {str(e).strip()[-400:]}; --to onnx has") from e
        package.save(str(job.path(".mlpackage")))
    main = job.path(".mlpackage")
    layouts = {names.source: "image"} if module.inside else {}
    return Converted(main, (main,), layouts=layouts, tools=("torch", "coremltools"), notes=(NOTE,))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """coremltools logs and warns of other versions of everything, and shows bars."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
