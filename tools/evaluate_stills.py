"""Alpha error on two still sets, beside a peer: python tools/evaluate_stills.py EVAL BACKGROUNDS MODEL.onnx [--peer X]

EVAL/eg1800 (im/, mask/): MAD ×1000 over pixels more than 8 px from the mask's edge, and mean IoU at 0.5.
EVAL/london (fgr/, pha/): picture i before background i modulo their number; MAD ×1000, and the same in the edge band
(0.02 < alpha < 0.98, dilated 5×5). The peer is MediaPipe selfie segmentation (256×256, per frame).
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from koutu.runtime.backends import OnnxBackend
from koutu.runtime.matter import Matter

Predict = Callable[[np.ndarray], np.ndarray]


def read(path: Path, flag: int = cv2.IMREAD_COLOR) -> np.ndarray:
    picture = cv2.imread(str(path), flag)
    if picture is None:
        raise ValueError(f"{path} is not a readable picture")
    return picture[..., ::-1].copy() if flag == cv2.IMREAD_COLOR else picture


def eg1800(root: Path, predict: Predict) -> dict[str, float]:
    mad, iou = [], []
    for path in sorted((root / "im").iterdir()):
        rgb, mask = read(path), read(root / "mask" / f"{path.stem}.png", cv2.IMREAD_GRAYSCALE) > 0
        if mask.shape != rgb.shape[:2]:
            mask = cv2.resize(mask.astype(np.uint8), rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
        pha = predict(rgb)
        inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
        outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
        far = (inside > 8) | (outside > 8)
        mad.append(np.abs(pha - mask)[far].mean() * 1000)
        iou.append(((pha > 0.5) & mask).sum() / max(1, ((pha > 0.5) | mask).sum()))
    return {"eg1800 mad": float(np.mean(mad)), "median": float(np.median(mad)), "iou": float(np.mean(iou))}


def london(root: Path, backgrounds: list[Path], predict: Predict) -> dict[str, float]:
    mad, edge = [], []
    for i, path in enumerate(sorted((root / "fgr").iterdir())):
        fgr = read(path).astype(np.float32)
        true = read(next((root / "pha").glob(f"{path.stem}.*")), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
        bgr = cv2.resize(read(backgrounds[i % len(backgrounds)]), true.shape[::-1], interpolation=cv2.INTER_AREA)
        rgb = true[..., None] * fgr + (1 - true[..., None]) * bgr
        pha = predict(rgb.astype(np.uint8))
        band = cv2.dilate(((true > 0.02) & (true < 0.98)).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        mad.append(np.abs(pha - true).mean() * 1000)
        edge.append(np.abs(pha - true)[band].mean() * 1000)
    return {"london mad": float(np.mean(mad)), "median": float(np.median(mad)), "edge": float(np.mean(edge))}


def mediapipe(path: Path) -> Predict:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def predict(rgb: np.ndarray) -> np.ndarray:
        x = cv2.resize(rgb, (256, 256), interpolation=cv2.INTER_LINEAR).astype(np.float32)[None] / 255
        out = np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0]).reshape(256, 256)
        return cv2.resize(out, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    return predict


def koutu(path: Path, pixels: int | None, refine: bool) -> Predict:
    backend = OnnxBackend(path)
    backend.pixels = pixels or backend.pixels
    return lambda rgb: Matter(backend, refine=refine)(rgb).alpha.astype(np.float32) / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("eval", "backgrounds", "model"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--peer", type=Path, help="selfie_segmentation.onnx")
    parser.add_argument("--pixels", type=int, nargs="*", default=[None], help="network sizes to try")
    args = parser.parse_args()
    runs: Iterator[tuple[str, Predict]] = (
        (f"{args.model.name} pixels={p or 'own'} refine={r}", koutu(args.model, p, r))
        for p in args.pixels for r in (False, True)
    )  # fmt: skip
    peers = [("mediapipe selfie", mediapipe(args.peer))] if args.peer else []
    for name, predict in [*runs, *peers]:
        scores = eg1800(args.eval / "eg1800", predict)
        other = london(args.eval / "london", sorted(args.backgrounds.iterdir()), predict)
        print(name, *(f"{k} {v:.4g}" for k, v in (*scores.items(), *other.items())), sep="  ", flush=True)


if __name__ == "__main__":
    main()
