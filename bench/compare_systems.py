"""The programs that bench/compare.py puts side by side: each cuts a picture out as its own package does."""

import argparse
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from koutu.engines.backend import Backend
from koutu.matting.matter import Matter
from koutu.media.image import write_image
from koutu.types import Alpha, Frame, Rgb
from koutu.zoo import load

Cut = Callable[[Rgb], Alpha]
Start = tuple[str, Callable[[], Cut]]


def own(name: str, threads: int) -> Cut:
    """koutu's network of that name; a picture, not a clip."""
    return by(load(name, threads=threads))


def by(backend: Backend) -> Cut:
    """As `koutu image` mattes."""
    return lambda rgb: Matter(backend)(Frame(rgb)).alpha


def described(name: str, weights: str, threads: int) -> Cut:
    """Another's network by koutu's description of it."""
    return by(load(name, weights=weights, threads=threads))


def rembg(name: str) -> Cut:
    """rembg's function, its session kept, as its documentation recommends."""
    from rembg import new_session, remove  # type: ignore[import-not-found]

    session = new_session(name)
    return lambda rgb: np.asarray(remove(Image.fromarray(rgb), session=session, only_mask=True).convert("L"))


def mediapipe(model: Path) -> Cut:
    """MediaPipe's image segmenter, its mask of confidence."""
    import mediapipe  # type: ignore[import-not-found]
    from mediapipe.tasks.python import BaseOptions, vision  # type: ignore[import-not-found]

    options = vision.ImageSegmenterOptions(BaseOptions(str(model)), output_confidence_masks=True)
    segmenter = vision.ImageSegmenter.create_from_options(options)

    def cut(rgb: Rgb) -> Alpha:
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
        mask = segmenter.segment(picture).confidence_masks[-1].numpy_view()
        return np.rint(255 * mask.squeeze()).astype(np.uint8)

    return cut


class Imgly:
    """@imgly/background-removal-node in a Node of its own, which answers a path with a path."""

    PROGRAM = """
import { segmentForeground } from "@imgly/background-removal-node";
import { createInterface } from "node:readline";
import { writeFile } from "node:fs/promises";
for await (const path of createInterface({ input: process.stdin })) {
  const blob = await segmentForeground("file://" + path, { model: "medium", output: { format: "image/png" } });
  await writeFile(path + ".alpha.png", Buffer.from(await blob.arrayBuffer()));
  console.log("done");
}
"""

    def __init__(self, packages: Path):
        self._folder = TemporaryDirectory(prefix="koutu-compare-")
        program = packages / "koutu-compare.mjs"
        program.write_text(self.PROGRAM)
        self._node = subprocess.Popen(
            ["node", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=packages
        )

    def __call__(self, rgb: Rgb) -> Alpha:
        assert self._node.stdin and self._node.stdout
        path = Path(self._folder.name) / "in.png"
        write_image(path, rgb)
        self._node.stdin.write(f"{path}\n")
        self._node.stdin.flush()
        if not self._node.stdout.readline():
            raise RuntimeError("Node ended; see above")
        found = np.asarray(Image.open(f"{path}.alpha.png"))
        return found if found.ndim == 2 else np.ascontiguousarray(found[..., -1])

    def cpu_seconds(self) -> float:
        """Processor time that Node has used so far, where /proc tells."""
        fields = Path(f"/proc/{self._node.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def systems(told: argparse.Namespace) -> dict[str, Start]:
    """Program and network → the package with its version, and what starts it."""
    found: dict[str, Start] = {
        "koutu": ("koutu", lambda: own("koutu", told.threads)),
        "koutu-small": ("koutu", lambda: own("koutu-small", told.threads)),
        "rembg, u2netp": ("rembg", lambda: rembg("u2netp")),
    }
    if told.mediapipe:
        found["MediaPipe tasks"] = ("mediapipe", lambda: mediapipe(told.mediapipe))
    for entry in told.network:
        name, _, weights = entry.partition("=")
        found[name] = ("koutu", lambda name=name, weights=weights: described(name, weights, told.threads))
    if told.imgly:
        found["imgly, medium"] = ("@imgly/background-removal-node", lambda: Imgly(told.imgly))
    return found
