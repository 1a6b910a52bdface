"""What this machine has and what koutu will run on it."""

import importlib
import os
import platform
import time
from collections.abc import Iterator
from types import ModuleType

from koutu import __version__
from koutu.extras import pip_line

NEEDED = ("numpy", "av", "cv2", "PIL", "onnxruntime")
OPTIONAL = {"openvino": ("openvino", ""), "torch": ("train", ", for training only")}  # module: extra, what it is for


def examine() -> Iterator[tuple[str, bool]]:
    """Lines to print, each with whether what it says is as it must be."""
    yield f"koutu {__version__}, Python {platform.python_version()}, {platform.platform()}", True
    yield f"{os.cpu_count()} CPU cores, {platform.machine()}", True
    for name in NEEDED:
        module = _import(name)
        yield f"{name}: {_version(module) if module else 'MISSING, reinstall koutu'}", module is not None
    for name, (extra, use) in OPTIONAL.items():
        module = _import(name)
        yield f"{name}: {_version(module) if module else f'not installed ({pip_line(extra)}{use})'}", True
    yield from _codecs()
    yield from _engines()


def _codecs() -> Iterator[tuple[str, bool]]:
    av = _import("av")
    for codec, use in {
        "libx264": "H.264 out", "libx265": "HEVC, 10 bit out", "libvpx-vp9": "WebM with alpha out",
        "prores_ks": "ProRes 4444 with alpha out", "aac": "AAC when sound must be re-encoded",
    }.items():  # fmt: skip
        found = av is not None and codec in av.codecs_available
        yield f"encoder {codec}: {'found' if found else 'MISSING'} ({use})", found or codec != "libx264"


def _engines() -> Iterator[tuple[str, bool]]:
    if onnxruntime := _import("onnxruntime"):
        yield f"onnxruntime devices: {', '.join(onnxruntime.get_available_providers())}", True
    if openvino := _import("openvino"):
        yield f"openvino devices: {', '.join(openvino.Core().available_devices)}", True
    import numpy as np

    from koutu.types import KoutuError
    from koutu.zoo import DEFAULT, load

    try:
        backend = load()
    except KoutuError as e:
        yield f"model {DEFAULT}: {e}", False
        return
    size = backend.network_size((720, 1280))
    picture, state = np.zeros((*size, 3), np.uint8), backend.initial_state(size)
    times = []
    for _ in range(10):
        started = time.perf_counter()
        backend(picture, state)
        times.append(time.perf_counter() - started)
    yield f"will run: {backend.name}, {1000 * sorted(times)[5]:.1f} ms a frame of 1280×720 (network alone)", True


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError):  # OSError: a shared library it needs is missing
        return None


def _version(module: ModuleType) -> str:
    return str(getattr(module, "__version__", "found"))
