"""What the server has done and holds, in Prometheus' text format."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
Labels = tuple[tuple[str, str], ...]

HELP = {
    "koutu_requests_total": ("counter", "Requests answered, by route and status."),
    "koutu_request_seconds": ("histogram", "From a request's first byte to its answer's last."),
    "koutu_refused_total": ("counter", "Requests refused, by the code that the client got."),
    "koutu_pictures_total": ("counter", "Pictures cut out."),
    "koutu_picture_seconds": ("histogram", "Work on one image, without waiting."),
    "koutu_frames_total": ("counter", "Live frames composited, by the way they came."),
    "koutu_frames_dropped_total": ("counter", "Live frames left out because a newer one was there."),
    "koutu_frame_seconds": ("histogram", "From a live frame's arrival to its result, waiting included."),
    "koutu_videos_total": ("counter", "Videos that ended, by how."),
    "koutu_pictures_in_hand": ("gauge", "Pictures that arrive, wait, are worked on or leave."),
    "koutu_viewers": ("gauge", "Live viewers."),
    "koutu_videos": ("gauge", "Videos held, by state."),
    "koutu_memory_bytes": ("gauge", "Resident memory of the server's process."),
}


class Counters:
    """Counts, sums and gauges; safe to use from several threads. Names are those of HELP."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, Labels], float] = defaultdict(float)
        self._times: dict[tuple[str, Labels], list[float]] = {}
        self.gauges: dict[str, Callable[[], Iterable[tuple[dict[str, str], float]]]] = {
            "koutu_memory_bytes": lambda: [({}, size) for size in _resident_bytes()],
        }

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count."""
        with self._lock:
            self._counts[name, tuple(sorted(labels.items()))] += amount

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Put one duration into a histogram."""
        key = name, tuple(sorted(labels.items()))
        with self._lock:
            row = self._times.setdefault(key, [0.0] * (len(SECONDS) + 2))  # buckets, sum, count
            for i, limit in enumerate(SECONDS):
                row[i] += seconds <= limit
            row[-2] += seconds
            row[-1] += 1

    def text(self) -> str:
        """All of it, as Prometheus reads it."""
        with self._lock:
            counts, times = dict(self._counts), {key: list(row) for key, row in self._times.items()}
        samples: dict[str, list[str]] = defaultdict(list)
        for (name, labels), value in sorted(counts.items()):
            samples[name].append(f"{name}{_braces(labels)} {value:g}")
        for (name, labels), row in sorted(times.items()):
            for limit, value in zip((*map(str, SECONDS), "+Inf"), (*row[: len(SECONDS)], row[-1]), strict=True):
                samples[name].append(f"{name}_bucket{_braces((*labels, ('le', limit)))} {value:g}")
            samples[name] += [
                f"{name}_sum{_braces(labels)} {row[-2]:.6f}",
                f"{name}_count{_braces(labels)} {row[-1]:g}",
            ]
        for name, read in self.gauges.items():
            samples[name] += [f"{name}{_braces(tuple(labels.items()))} {value:.15g}" for labels, value in read()]
        lines = []
        for name, (kind, text) in HELP.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *samples[name]]
        return "\n".join(lines) + "\n"


def _resident_bytes() -> list[float]:
    """Of this process; empty where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return [1024.0 * int(line.split()[1]) for line in lines if line.startswith("VmRSS")]


def _braces(labels: Labels) -> str:
    def quoted(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return "{" + ",".join(f'{name}="{quoted(value)}"' for name, value in labels) + "}" if labels else ""
