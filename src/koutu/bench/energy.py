"""Joules, where the machine counts them; where it does not, nothing is estimated."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

UNKNOWN = "not reported by this machine"
POWERCAP = Path("/sys/class/powercap")


class Meter(Protocol):
    """A counter of energy since some moment."""

    name: str

    def joules(self) -> float:
        """Its reading now."""
        ...


class RaplMeter:
    """The processor packages' counters in Linux's powercap: all that ran on them, not this process alone."""

    name = "RAPL, whole processor packages"

    def __init__(self, root: Path = POWERCAP):
        zones = sorted(root.glob("intel-rapl:*"))
        self._zones = [zone for zone in zones if zone.name.count(":") == 1]  # deeper ones are parts of these
        if not self._zones:
            raise OSError(f"no counters in {root}")
        self._ranges = [int((zone / "max_energy_range_uj").read_text()) for zone in self._zones]
        self._last = self._read()
        self._total = 0

    def joules(self) -> float:
        now = self._read()
        for before, after, span in zip(self._last, now, self._ranges, strict=True):
            self._total += after - before if after >= before else after - before + span  # the counter began anew
        self._last = now
        return self._total / 1e6

    def _read(self) -> list[int]:
        return [int((zone / "energy_uj").read_text()) for zone in self._zones]


class NvmlMeter:
    """The first NVIDIA card's counter, by the driver's own library: all that ran on it."""

    name = "NVML, whole graphics card"

    def __init__(self, library: Callable[[str], Any] = ctypes.CDLL):
        self._nvml = library("libnvidia-ml.so.1")
        self._card = ctypes.c_void_p()
        self._require(self._nvml.nvmlInit_v2())
        self._require(self._nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(self._card)))
        self.joules()

    def joules(self) -> float:
        millijoules = ctypes.c_ulonglong()
        self._require(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._card, ctypes.byref(millijoules)))
        return millijoules.value / 1e3

    def _require(self, code: int) -> None:
        if code:
            raise OSError(f"NVML answered {code}")


def meter(device: str = "cpu") -> Meter | None:
    """The counter for networks on that device: of the card for cuda, else of the processor; None if none can be read.

    Most Linux systems let only root read the processor's.
    """
    try:
        return NvmlMeter() if device.startswith("cuda") else RaplMeter()
    except (OSError, AttributeError, ValueError):  # no such file, library or function; no right to read
        return None
