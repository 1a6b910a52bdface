"""Pack training folders: people (picture + mask, or picture alone with a teacher's mask) and backgrounds.

python tools/pack_data.py DATA OUT --teacher selfie_segmentation.onnx

DATA holds one folder a set. A set with `im/` and `mask/` gives masks; `rgba/` gives alphas; in the others the teacher
(MediaPipe selfie segmentation, Apache-2.0) finds the person and closed-form matting solves the boundary.
"""

import argparse
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from koutu.data.pack import Entry, write_pack
from koutu.data.pseudo import closed_form_matte, guided_matte
from koutu.trimap import trimap_from_mask

LONG_SIDE = 448
MASKED, PLAIN, ALPHA = ("eg1800", "ccp", "mixed"), ("london", "canada", "generated", "official"), ("rgba",)
BACKGROUNDS = ("rooms", "places", "scenery")


def read(path: Path, long_side: int = LONG_SIDE) -> np.ndarray:
    """RGB or RGBA uint8, shrunk so that the longer side is at most `long_side`."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError(f"{path} is not a readable picture")
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    scale = long_side / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB)


_teacher = None


def teacher_mask(rgb: np.ndarray, model: str) -> np.ndarray:
    """The teacher's probability (H, W) float32 that a pixel is a person's."""
    global _teacher
    if _teacher is None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        _teacher = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    x = cv2.resize(rgb, (256, 256), interpolation=cv2.INTER_AREA).astype(np.float32)[None] / 255
    out = np.asarray(_teacher.run(None, {_teacher.get_inputs()[0].name: x})[0])
    return cv2.resize(out.reshape(256, 256), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def person(job: tuple[str, Path, str]) -> tuple[Entry, np.ndarray] | None:
    """One packed cut-out: RGBA with the best alpha that its set allows; None where the teacher found nobody."""
    source, path, teacher = job
    cv2.setNumThreads(1)
    rgb = read(path)
    if source in ALPHA:
        rgba = rgb
    else:
        rgb = rgb[..., :3].copy()
        if source in MASKED:
            mask = read(path.parent.parent / "mask" / f"{path.stem}.png")[..., 0]
            mask = cv2.resize(mask, rgb.shape[1::-1], interpolation=cv2.INTER_AREA)
            alpha = guided_matte(rgb, mask.astype(np.float32) / np.float32(max(1, int(mask.max()))))
        else:
            band = max(4, round(max(rgb.shape) * 0.03))
            trimap = trimap_from_mask(teacher_mask(rgb, teacher), band)
            if not 0.03 < (trimap == 255).mean() < 0.95 or not (trimap == 0).any():
                return None
            alpha = closed_form_matte(rgb, trimap)
        rgba = np.dstack([rgb, alpha])
    group = path.stem.split("_")[0] if source in ("london", "canada") else path.stem
    soft = source not in MASKED
    return Entry(path.stem, source, f"{source}/{group}", soft, *rgba.shape), rgba


def backgrounds(data: Path) -> Iterator[tuple[Entry, np.ndarray]]:
    """Every background, RGB."""
    for source in BACKGROUNDS:
        for path in sorted((data / "backgrounds" / source).glob("*.*")):
            rgb = read(path, 640)[..., :3]
            yield Entry(path.stem, source, f"{source}/{path.stem}", False, *rgb.shape), rgb


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    jobs = []
    for source in (*MASKED, *PLAIN, *ALPHA):
        folder = args.data / source
        paths = sorted((folder / "im" if source in MASKED else folder).glob("*.webp"))
        jobs += [(source, path, args.teacher) for path in paths]
    print(f"{write_pack(args.out / 'backgrounds', backgrounds(args.data))} backgrounds", flush=True)
    with get_context("spawn").Pool(args.workers) as pool:  # OpenCV does not survive a fork
        people = filter(None, pool.imap(person, jobs, chunksize=8))
        print(f"{write_pack(args.out / 'people', people)} people", flush=True)


if __name__ == "__main__":
    main()
