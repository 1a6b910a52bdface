"""What a camera does to a clip: exposure and colours that drift, lamps that wander, noise, low resolution, coding."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.scenes.light import add_lamp, line_lamp, point_lamp
from koutu.types import Rgb


@dataclass(frozen=True)
class Tone:
    """Exposure, contrast, white balance and saturation of a clip, gliding from one setting to another.

    ends: (2, 6), logarithms of the gains of red, green and blue and of gamma, then lift and log saturation.
    """

    ends: NDArray[np.float64]
    grey: bool = False

    def __call__(self, rgb: Rgb, at: float) -> Rgb:
        """rgb (H, W, 3) with the settings at `at` in [0, 1] of the way."""
        setting = self.ends[0] * (1 - at) + self.ends[1] * at
        gain, gamma, saturation = np.exp(setting[:3]), np.exp(setting[3]), np.exp(setting[5])
        ramp = np.linspace(0, 1, 256)[:, None] ** gamma * gain + setting[4]
        rgb = np.asarray(cv2.LUT(rgb, np.clip(ramp * 255 + 0.5, 0, 255).astype(np.uint8).reshape(1, 256, 3)))
        share = 0.0 if self.grey else saturation
        if abs(share - 1) < 0.02:
            return rgb
        return np.asarray(cv2.transform(rgb, np.full((3, 3), 1 / 3) * (1 - share) + np.eye(3) * share))


def random_tone(rng: np.random.Generator, *, strength: float = 1.0, drift: float = 0.0, grey: float = 0.04) -> Tone:
    """A tone about neutral; drift: how far its two ends lie apart, in the same measure; grey: probability."""
    spread = np.array([0.06, 0.06, 0.06, 0.18, 0.04, 0.25])
    whole = np.array([0.16, 0.16, 0.16, 0, 0, 0])
    first, away = (spread * rng.standard_normal(6) + whole * rng.standard_normal() for _ in range(2))
    ends = strength * first + np.array([[-0.5], [0.5]]) * drift * away
    ends[:, :3] = np.clip(ends[:, :3], -0.6, 0.4)  # beyond, hardly anything is left to see
    return Tone(ends, bool(rng.random() < grey))


@dataclass(frozen=True)
class Lamp:
    """Light that falls into the image, in linear light; places and sizes are shares of the image's sides.

    path: (2, 2), x and y of its beginning and end; angle: radians of a tube of light, None for a point; colour: linear
    RGB, negative for a stripe of shadow; behind: it lights the place alone, and the people stand against it.
    """

    path: NDArray[np.float64]
    radius: float
    colour: NDArray[np.float32]
    angle: float | None = None
    behind: bool = False

    def light(self, size: tuple[int, int], at: float) -> NDArray[np.float32]:
        """Its fall-off (H, W) in [0, 1] at `at` in [0, 1] of its way."""
        x, y = (self.path[0] * (1 - at) + self.path[1] * at) * (size[1], size[0])
        radius = self.radius * max(size)
        if self.angle is None:
            return point_lamp(size, (float(x), float(y)), radius)
        return line_lamp(size, (float(x), float(y)), self.angle, radius / 2)


def random_lamp(rng: np.random.Generator, *, behind: float = 0.3) -> Lamp:
    """A point or a line anywhere in or beside the image, warm or cool, from a glow to a glare, still or wandering."""
    start = rng.uniform(-0.1, 1.1, 2)
    way = rng.normal(0, 0.2, 2) if rng.random() < 0.6 else np.zeros(2)
    warmth, radius = rng.uniform(-0.3, 0.3), rng.uniform(0.05, 0.5)
    strength = rng.uniform(0.1, 0.8) if rng.random() < 0.85 else -rng.uniform(0.05, 0.3)
    colour = (strength * np.array([1 + warmth, 1, 1 - warmth])).astype(np.float32)
    angle = float(rng.uniform(0, np.pi)) if rng.random() < 0.5 else None
    return Lamp(np.stack([start, start + way]), radius, colour, angle, bool(strength > 0 and rng.random() < behind))


def lit(rgb: Rgb, lamp: Lamp, at: float) -> Rgb:
    """rgb (H, W, 3) with the lamp's light."""
    return add_lamp(rgb, lamp.light(rgb.shape[:2], at), lamp.colour)


def noisy(rgb: Rgb, rng: np.random.Generator, *, level: float, grain: int = 1, grey: bool = False) -> Rgb:
    """Sensor noise of about `level` steps, more where it is bright, in grains of so many pixels; new each time."""
    h, w = rgb.shape[:2]
    shape = -(-h // grain), -(-w // grain), 1 if grey else 3
    noise = rng.standard_normal(shape, np.float32) * np.float32(level * (0.6 + 0.4 * grain))
    if grain > 1:
        noise = cv2.resize(noise, (w, h), interpolation=cv2.INTER_LINEAR).reshape(h, w, -1)
    shot = cv2.LUT(rgb, _SHOT)
    return np.clip(rgb + noise * shot + 0.5, 0, 255).astype(np.uint8)


_SHOT = np.sqrt(0.3 + 1.4 * np.arange(256) / 255).astype(np.float32)  # 1 at middle grey


def coarse(rgb: Rgb, share: float) -> Rgb:
    """As if the camera had only `share` of the rows and columns."""
    h, w = rgb.shape[:2]
    small = cv2.resize(rgb, (max(1, int(w * share)), max(1, int(h * share))), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR))


def jpeg(rgb: Rgb, quality: int) -> Rgb:
    """Through JPEG at a quality of 1 … 100."""
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.cvtColor(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)


def h264(frames: Sequence[Rgb], crf: int) -> list[Rgb]:
    """A clip of (H, W, 3) through H.264 in memory at a constant rate factor; odd sides are padded and cut off again.

    One thread: with more the encoder decides by which of them is ready first, and not the same way every time.
    """
    if not frames:
        return []
    height, width = frames[0].shape[:2]
    memory, options = io.BytesIO(), {"crf": str(crf), "preset": "superfast", "threads": "1"}
    with av.open(memory, "w", format="matroska") as out:
        stream = out.add_stream("libx264", 30, options=options)
        stream.height, stream.width, stream.pix_fmt = height + height % 2, width + width % 2, "yuv420p"
        for rgb in frames:
            even = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            out.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        out.mux(stream.encode(None))
    memory.seek(0)
    with av.open(memory, "r") as file:
        return [frame.to_ndarray(format="rgb24")[:height, :width] for frame in file.decode(video=0)]
