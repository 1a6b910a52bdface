"""Renders samples in Blender's own Python: python main.py ASSETS SAMPLES ALPHA_SAMPLES THREADS

Reads one job a line from standard input (JSON: people, view, photograph, frames, out) and answers each with a line on
standard output: {"cpu": seconds, "build": seconds of them} or {"error": reason, "disk": whether the disk is to blame}.
Pictures go to the job's `out`: a PNG, or a folder of them for a clip. Uses nothing of koutu.
"""

import errno
import json
import os
import sys
import time
import traceback
from pathlib import Path

import cv2
from arrays import Floats
from body import Template
from cast import Cast
from render import Renderer


def main(assets: str, samples: str, alpha_samples: str, threads: str) -> None:
    """Until standard input ends; what Blender prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    template = Template(Path(assets))
    renderer = Renderer(int(samples), int(alpha_samples), int(threads))
    cast: tuple[list, Cast] | None = None
    for line in sys.stdin:
        job, begun = json.loads(line), time.process_time()
        try:
            if cast is None or cast[0] != job["people"]:
                cast = None
                cast = job["people"], Cast(template, renderer, job["people"], min(job["view"]["size"]))
            built = time.process_time()
            render(cast[1], job)
            answer = {"cpu": round(time.process_time() - begun, 2), "build": round(built - begun, 2)}
        except Exception as error:  # one sample's failure is told, not everybody's end
            traceback.print_exc()
            cast = None  # whatever it left in the scene
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            answer = {"error": f"{type(error).__name__}: {error}", "disk": full}
        print(json.dumps(answer), file=answers, flush=True)


def render(cast: Cast, job: dict) -> None:
    """One sample to its file or folder."""
    out = Path(job["out"])
    photograph = Path(job["photograph"]) if job["photograph"] else None
    if job["view"]["kind"] != "clip":
        save(cast.still(job["view"], photograph), out)
        return
    out.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(cast.clip(job["view"], photograph, job["frames"])):
        save(picture, out / f"{number:04d}.png")


def save(picture: Floats, path: Path) -> None:
    """RGBA as PNG."""
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA))
    if not done:
        raise ValueError(f"expected a picture that PNG can hold, got {picture.shape}")
    path.write_bytes(data.tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
