"""What editors' formats cost: CPU time a frame of footage in 4:4:4 beside the same in 4:2:0, and how exact alpha stays.

    python bench/editors.py [--frames 8] [--size 720 1280]

Both kinds of each output are made in turn, three times, and the least counts: the ratio stands on a busy machine too.
The matte is a disc with a soft rim, which costs nothing, so that the rest is what is measured.
"""

import argparse
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

import koutu
from koutu.media.alpha_track import AlphaReader
from koutu.media.containers import EncodeOptions

OUTPUTS = {"ProRes 4444": "a.mov", "PNG, 16 bits": "png", "EXR, half": "a.exr"}
KINDS = ("yuv420p10le", "yuv444p10le")


class Disc(koutu.Backend):
    """A soft disc for a person."""

    name = "disc"

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return size

    def initial_state(self, size: tuple[int, int]) -> Any:
        return 0

    def __call__(self, rgb: NDArray, state: Any, **hints: NDArray) -> tuple[None, NDArray[np.float32], Any]:
        return None, disc(rgb.shape[:2], state), state + 1


def disc(size: tuple[int, int], index: int) -> NDArray[np.float32]:
    """Alpha in [0, 1], a little further to the right with every frame."""
    y, x = np.mgrid[: size[0], : size[1]]
    reach = np.hypot(y - size[0] / 2, x - size[1] / 2 - 3 * index) - size[0] / 3
    return np.clip(0.5 - reach / 24, 0, 1).astype(np.float32)


def footage(path: Path, kind: str, size: tuple[int, int], frames: int) -> Path:
    """Smooth colours with grain, ten bits, lossless."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: size[0], : size[1]]
    base = np.stack([x / size[1], y / size[0], (x + y) / sum(size)], axis=2)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *size, kind
        for index in range(frames):
            rgb = np.clip((base + rng.normal(0, 0.01, base.shape)) * 65_535, 0, 65_535).astype("<u2")
            frame = av.VideoFrame.from_ndarray(rgb, "rgb48le").reformat(format=kind)
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def cost(source: Path, target: Path) -> float:
    """CPU seconds."""
    began = process_time()
    koutu.convert(source, target, background="transparent", model=Disc(), refine=False)
    return process_time() - began


def exactness(folder: Path, source: Path, size: tuple[int, int], frames: int) -> dict[str, float]:
    """Mean error of soft pixels, in levels of 255."""
    names = {"--alpha, .mp4": "alpha.mp4", "cut-out, ProRes 4444": "cut.mov", "cut-out, VP9": "cut.webm"}
    koutu.convert(source, folder / "cut.mov", alpha=folder / "alpha.mp4", background="transparent", model=Disc())
    koutu.convert(source, folder / "cut.webm", background="transparent", model=Disc(), encode=EncodeOptions())
    true = [np.rint(disc(size, index) * 255) for index in range(frames)]
    found = {}
    for name, file in names.items():
        with AlphaReader(folder / file) if file == "alpha.mp4" else koutu.open_video(folder / file) as reader:
            alphas = [item.alpha if isinstance(item, koutu.Frame) else item for item in reader]
        pairs = [(a.astype(float), b) for a, b in zip(alphas, true, strict=True) if a is not None]
        found[name] = float(np.mean([np.abs(a - b)[(b > 5) & (b < 250)].mean() for a, b in pairs]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280))
    given = parser.parse_args()
    size = given.size[0], given.size[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = {kind: footage(folder / f"{kind}.mkv", kind, size, given.frames) for kind in KINDS}
        print(f"{size[1]}×{size[0]}, {given.frames} frames\n\n| output | 4:2:0, ms | 4:4:4, ms | ratio |")
        print("|---|---|---|---|")
        for output, target in OUTPUTS.items():
            seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
            for turn in range(3):
                for kind, source in sources.items():
                    place = folder / f"{turn}-{kind}"
                    place.mkdir(exist_ok=True)
                    seconds[kind].append(cost(source, place / target))
            half, full = (1000 * min(each) / given.frames for each in seconds.values())
            print(f"| {output} | {half:.0f} | {full:.0f} | {full / half:.2f} |", flush=True)
        print("\n| alpha in | mean error of soft pixels, levels |\n|---|---|")
        for place, off in exactness(folder, sources[KINDS[0]], size, given.frames).items():
            print(f"| {place} | {off:.2f} |")


if __name__ == "__main__":
    main()
