"""What machine this is and which programs ran on it, for figures that somebody else must be able to judge."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from koutu import __version__

PACKAGES = (
    "numpy", "opencv-python-headless", "av", "onnxruntime", "onnxruntime-gpu", "openvino", "torch", "ai-edge-litert",
    "scipy",
)  # fmt: skip
_CPUINFO = Path("/proc/cpuinfo")
_STATUS = Path("/proc/self/status")


def describe() -> dict[str, Any]:
    """CPU, cores this process may use, memory in MB (None where unknown) and system; never a name of the host."""
    return {
        "cpu": cpu_name(),
        "cores": cores(),
        "memory_mb": memory_mb(),
        "system": platform.system(),
        "architecture": platform.machine(),
    }


def versions() -> dict[str, str]:
    """koutu, Python, and those of `PACKAGES` that are installed."""
    found = {"koutu": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit koutu was run from, with + where files differ from it; None for an installed package."""
    here = Path(__file__).parent
    if _git(here, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None  # a repository around an environment is not koutu's
    found = _git(here, "rev-parse", "--short=10", "HEAD")
    changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{found}+" if found and changed else found


def cpu_name() -> str:
    """As the system calls the processor; its architecture where that is all it tells."""
    lines = _CPUINFO.read_text().splitlines() if _CPUINFO.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_average() -> float | None:
    """Programs that wanted a core during the last minute, on average; None where the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def memory_mb() -> int | None:
    """Megabytes of memory of the machine; None where the system does not tell."""
    names = getattr(os, "sysconf_names", {})
    if not {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= set(names):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def peak_mb() -> float | None:
    """Most resident megabytes of this process so far; None where the system does not tell.

    On Linux not by getrusage, which counts the parent's before the exec.
    """
    if _STATUS.exists():
        lines = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return next((int(line.split()[1]) / 1024 for line in lines), None)
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return None


def resident_mb() -> float | None:
    """Megabytes of memory that this process holds now; None where the system does not tell."""
    if not _STATUS.exists():
        return None
    lines = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmRSS"))
    return next((int(line.split()[1]) / 1024 for line in lines), None)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
