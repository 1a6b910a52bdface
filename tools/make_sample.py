"""Make the packaged sample: a portrait moving before a background, with sound; every source is CC0.

python tools/make_sample.py PERSON.webp ROOM.webp BACKGROUND.webp --teacher selfie_segmentation.onnx

PERSON is found by the teacher (MediaPipe's segmenter, Apache-2.0), cut out by closed-form matting, put before ROOM,
and moved as somebody at a webcam moves; BACKGROUND becomes the picture to put behind instead.
"""

import argparse
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import onnxruntime

from koutu.data.mattes.soft_matte import closed_form_matte
from koutu.foreground import decontaminate
from koutu.media.image import read_image
from koutu.trimap import trimap_from_mask

SIZE, RATE, SECONDS = (360, 640), 25, 4
OUT = Path(__file__).parent.parent / "src" / "koutu" / "sample"


def read(path: Path, long_side: int) -> np.ndarray:
    """RGB, shrunk so that the longer side is at most `long_side`."""
    rgb = read_image(path)
    scale = min(1.0, long_side / max(rgb.shape[:2]))
    return np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def teacher_mask(rgb: np.ndarray, model: str) -> np.ndarray:
    """The teacher's probability (H, W) float32 that a pixel is a person's."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    x = cv2.resize(rgb, (256, 256), interpolation=cv2.INTER_AREA).astype(np.float32)[None] / 255
    out = np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0])
    return cv2.resize(out.reshape(256, 256), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def cut_out(path: Path, teacher: str) -> np.ndarray:
    """RGBA of the person, freed of the old background's light."""
    rgb = read(path, 800)
    alpha = closed_form_matte(rgb, trimap_from_mask(teacher_mask(rgb, teacher), 20))
    return np.dstack([np.asarray(decontaminate(rgb, alpha)), alpha])


def cover(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scaled and cropped to fill `size` (H, W)."""
    scale = max(size[0] / rgb.shape[0], size[1] / rgb.shape[1])
    rgb = cv2.resize(rgb, None, fx=scale * 1.001, fy=scale * 1.001, interpolation=cv2.INTER_AREA)
    top, left = (rgb.shape[0] - size[0]) // 2, (rgb.shape[1] - size[1]) // 2
    return rgb[top : top + size[0], left : left + size[1]]


def frames(person: np.ndarray, room: np.ndarray) -> list[np.ndarray]:
    """The person sways, nods and leans in; the camera noise moves too."""
    rng, result = np.random.default_rng(0), []
    rows = np.flatnonzero(person[..., 3].max(axis=1) > 64)
    base = 0.92 * SIZE[0] / (person.shape[0] - rows[0])
    for t in np.arange(RATE * SECONDS) / RATE:
        scale = base * (1.06 + 0.06 * np.sin(1.1 * t))
        turn = 2.5 * np.sin(1.7 * t)
        foot = (person.shape[1] / 2, person.shape[0])
        matrix = cv2.getRotationMatrix2D(foot, turn, scale)
        matrix[:, 2] += np.array([SIZE[1] / 2 + 40 * np.sin(0.9 * t), SIZE[0] + 8]) - foot
        moved = cv2.warpAffine(person, matrix, SIZE[::-1], flags=cv2.INTER_AREA).astype(np.float32)
        alpha = moved[..., 3:] / 255
        rgb = alpha * moved[..., :3] + (1 - alpha) * room + rng.normal(0, 2, (*SIZE, 3))
        result.append(np.clip(rgb, 0, 255).astype(np.uint8))
    return result


def write(path: Path, pictures: list[np.ndarray]) -> None:
    """H.264 with a quiet three-note tune in AAC."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as out:
        video = out.add_stream("libx264", RATE, options={"crf": "24", "preset": "slow"})
        video.width, video.height, video.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        audio = out.add_stream("aac", 44_100, layout="mono")
        for rgb in pictures:
            out.mux(video.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        out.mux(video.encode(None))
        t = np.arange(44_100 * SECONDS) / 44_100
        pitch = np.array([262, 330, 392, 330])[(t / SECONDS * 4).astype(int)]
        tone = (0.1 * np.sin(2 * np.pi * pitch * t) * np.exp(-((t * 1.0) % 1))).astype(np.float32)
        for i in range(0, len(tone), 1024):
            sound = av.AudioFrame.from_ndarray(tone[None, i : i + 1024], format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 44_100, i, Fraction(1, 44_100)
            out.mux(audio.encode(sound))
        out.mux(audio.encode(None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("person", "room", "background"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--teacher", required=True)
    args = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    room = cv2.GaussianBlur(cover(read(args.room, 1280), SIZE), (0, 0), 1.5)
    write(OUT / "talk.mp4", frames(cut_out(args.person, args.teacher), room.astype(np.float32)))
    background = cover(read(args.background, 1280), (540, 960))
    cv2.imwrite(str(OUT / "lake.jpg"), background[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
