"""The last steps of a scene: light that falls on every layer alike, and what the camera does to the image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from koutu.data.scenes.camera_effects import Lamp, Tone, coarse, h264, jpeg, noisy, random_lamp, random_tone
from koutu.data.scenes.config import SceneConfig
from koutu.data.scenes.layers import Layers, defocused, painted
from koutu.data.scenes.light import GAMMA, add_lamp
from koutu.types import Rgb


@dataclass(frozen=True)
class Light:
    """Call it with layers and a place `at` in [0, 1] of the clip: lamps, tone and focus, which keep them composing."""

    lamps: Sequence[Lamp] = ()
    tone: Tone | None = None
    sigma: float = 0.0
    dark: float = 1.0  # share of the light that is left on people before a lamp

    @classmethod
    def drawn(cls, rng: np.random.Generator, cfg: SceneConfig, side: int) -> "Light":
        """A scene's light, for samples whose longer side has so many pixels."""
        lamps = [random_lamp(rng) for _ in range(2) if rng.random() < cfg.lamps]
        drift = rng.uniform(0.2, 0.9) if rng.random() < cfg.drift else 0.0
        tone = random_tone(rng, drift=drift) if rng.random() < cfg.tone else None
        soft = rng.random() < 0.4 * cfg.blur
        sigma = rng.uniform(0.3, 1.5) * max(1.0, side / 256) if soft else 0.0
        return cls(lamps, tone, sigma, rng.uniform(0.2, 0.8))

    def __call__(self, layers: Layers, at: float) -> Layers:
        for lamp in self.lamps:
            layers = self._lit(layers, lamp, at)
        if self.tone is not None:
            tone = self.tone
            layers = painted(layers, lambda rgb: tone(rgb, at))
        return defocused(layers, self.sigma) if self.sigma > 0 else layers

    def _lit(self, layers: Layers, lamp: Lamp, at: float) -> Layers:
        light = lamp.light(layers.pha.shape, at)

        def change(rgb: Rgb) -> Rgb:
            return add_lamp(rgb, light, lamp.colour)

        if not lamp.behind or layers.src is not None:
            return painted(layers, change)
        plate = None if layers.plate is None else change(layers.plate)
        fgr = cv2.convertScaleAbs(layers.fgr, alpha=self.dark ** (1 / GAMMA))
        return replace(layers, fgr=fgr, bgr=change(layers.bgr), plate=plate)


@dataclass(frozen=True)
class Finish:
    """Call it with the composed frames: few pixels, noise, coding. shutter: share of a frame's time that it is open."""

    shutter: float = 0.0
    share: float = 1.0
    noise: float = 0.0
    grain: int = 1
    grey: bool = False
    code: Callable[[Sequence[Rgb]], list[Rgb]] | None = None

    @classmethod
    def drawn(cls, rng: np.random.Generator, cfg: SceneConfig, frames: int) -> "Finish":
        """A camera; where the layers must compose exactly, one without faults but the shutter."""
        shutter = rng.uniform(0.2, 1) if rng.random() < (0.5 if frames > 1 else 0.35) * cfg.blur else 0.0
        if cfg.exact:
            return cls(shutter)
        share = rng.uniform(0.4, 0.9) if rng.random() < 0.3 * cfg.blur else 1.0
        noise = rng.uniform(1, 10) if rng.random() < cfg.noise else 0.0
        grain, grey = (1 if rng.random() < 0.7 else int(rng.integers(2, 4))), bool(rng.random() < 0.3)
        code = _coding(rng, frames) if rng.random() < cfg.codec else None
        return cls(shutter, share, noise, grain, grey, code)

    def __call__(self, frames: Sequence[Rgb], rng: np.random.Generator) -> Sequence[Rgb]:
        if self.share < 1:
            frames = [coarse(x, self.share) for x in frames]
        if self.noise > 0:
            frames = [noisy(x, rng, level=self.noise, grain=self.grain, grey=self.grey) for x in frames]
        return frames if self.code is None else self.code(frames)


def _coding(rng: np.random.Generator, frames: int) -> Callable[[Sequence[Rgb]], list[Rgb]]:
    """JPEG of each frame, or for a third of the clips H.264, which takes its time."""
    quality, factor = int(rng.integers(30, 95)), int(rng.integers(18, 38))
    if frames > 1 and rng.random() < 0.35:
        return lambda pictures: h264(pictures, factor)
    return lambda pictures: [jpeg(x, quality) for x in pictures]
