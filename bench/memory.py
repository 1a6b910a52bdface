"""Peak memory against length, which should not matter: python bench/memory.py [--seconds 10 600 7200] [--json F].

Each length is converted in a process of its own: a synthetic clip, 160×90, one frame a second with sound, so that two
hours are 7200 frames.
"""

import argparse
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from koutu.api import convert
from koutu.bench.run import about_run, save
from koutu.machine import peak_mb

SIZE = (90, 160)


def make_clip(path: Path, seconds: int, size: tuple[int, int] = SIZE) -> None:
    """`seconds` frames of a moving pattern, one a second, and a tone."""
    pattern = np.random.default_rng(0).integers(0, 256, (size[0], 4 * size[1], 3), np.uint8)
    tone = (0.1 * np.sin(np.arange(8000) / 8)).astype(np.float32)[None]
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", 1, options={"preset": "ultrafast", "crf": "40"})
        video.height, video.width, video.pix_fmt = *size, "yuv420p"
        audio = out.add_stream("aac", 8000, layout="mono")
        for t in range(seconds):
            rgb = np.ascontiguousarray(pattern[:, t % (3 * size[1]) :][:, : size[1]])
            out.mux(video.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
            sound = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 8000, 8000 * t, Fraction(1, 8000)
            out.mux(audio.encode(sound))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def peak(seconds: int, model: str | None = None) -> float:
    """Peak resident megabytes of a process that converts a clip of that length."""
    with tempfile.TemporaryDirectory() as folder:
        make_clip(Path(folder) / "in.mp4", seconds)
        command = [sys.executable, __file__, "--child", folder, *(["--model", model] if model else [])]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, nargs="*", default=[10, 600, 7200])
    parser.add_argument("--model")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        chosen = {"model": args.model} if args.model else {}
        convert(args.child / "in.mp4", args.child / "out.mp4", background="blur", alpha=args.child / "a.mp4", **chosen)
        print(peak_mb())
        return
    result = about_run() | {"size": SIZE, "peak_mb": {}}
    for seconds in args.seconds:
        found = result["peak_mb"][str(seconds)] = peak(seconds, args.model)
        print(f"{seconds:6} s, as many frames: {found:6.0f} MB", flush=True)
    if args.json:
        save(result, args.json)


if __name__ == "__main__":
    main()
