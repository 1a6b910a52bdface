"""Tools of targets that are no modules of this Python: found, or named with what brings them, before any work."""

import os
import shlex
import subprocess
from importlib import metadata
from pathlib import Path

from koutu.types import ModelError

LITERT = "KOUTU_LITERT_PYTHON"
SECONDS = 60  # that an interpreter may take to say what it has
_ASK = "from importlib.metadata import version; print(version('litert-torch'))"


def require_litert() -> None:
    """Raise ModelError, with the commands that make it, without a Python that has litert-torch."""
    litert_python()


def litert_python() -> str:
    """The Python that has litert-torch, which is 2 GB large and pins other packages; ModelError without."""
    python = os.environ.get(LITERT, "")
    wanted = f"exporting for tflite needs the Python of an environment with litert-torch (2 GB) in {LITERT}"
    remedy = f"make it and run the command again: {' && '.join(litert_commands())}"
    if not python or not Path(python).is_file():
        raise ModelError(f"{wanted}, got {python or 'none'}; {remedy}")
    try:
        done = subprocess.run([python, "-I", "-c", _ASK], capture_output=True, timeout=SECONDS, check=False)
    except OSError as e:
        raise ModelError(f"{wanted}, got {python}, which does not run ({e.strerror}); {remedy}") from e
    if done.returncode:
        raise ModelError(f"{wanted}, got {python}, which has none; {remedy}")
    return python


def litert_commands() -> list[str]:
    """What makes the environment and names it, in this version of PyTorch: its programs are read by the same alone."""
    version = metadata.version("torch").split("+")[0]
    return [
        "python3 -m venv litert",
        f"litert/bin/pip install {shlex.quote(f'torch=={version}')} litert-torch",
        f"export {LITERT}=$PWD/litert/bin/python",
    ]


def require_opencv4() -> None:
    """Raise ModelError, with what brings it, without the OpenCV 4 that Caffe files are held against torch in."""
    from koutu.engines.exported.caffe import opencv4_folder

    opencv4_folder()
