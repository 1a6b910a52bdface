"""Cycles on the processor: a denoised colour pass, and an alpha pass of many samples."""

import os
import tempfile
from pathlib import Path

import bpy
import numpy as np
from arrays import Floats

_FPS = 24
_SOFT = 3  # times as many samples of alpha


class Renderer:
    """A scene of its own; `clear` empties it. samples and alpha_samples a pixel; threads of the processor."""

    def __init__(self, samples: int, alpha_samples: int, threads: int):
        self.samples, self.alpha_samples, self.threads = samples, alpha_samples, threads
        self._folder = tempfile.TemporaryDirectory(prefix="koutu-render-")
        self._file = Path(self._folder.name) / "pass.exr"

    def clear(self, size: tuple[int, int]) -> None:
        """An empty scene of this picture size (width, height)."""
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
        render, cycles = scene.render, scene.cycles
        render.engine, cycles.device = "CYCLES", "CPU"
        render.threads_mode, render.threads = "FIXED", self.threads
        render.resolution_x, render.resolution_y = size
        render.film_transparent, render.use_persistent_data, render.fps = True, True, _FPS
        cycles.use_adaptive_sampling, cycles.denoiser = False, "OPENIMAGEDENOISE"
        cycles.denoising_prefilter, cycles.denoising_quality = "FAST", "FAST"
        cycles.diffuse_bounces = cycles.glossy_bounces = 2
        cycles.transmission_bounces, cycles.transparent_max_bounces = 4, 6
        cycles.caustics_reflective = cycles.caustics_refractive = False
        cycles.sample_clamp_indirect, cycles.blur_glossy = 3, 1
        scene.cycles_curves.shape, scene.cycles_curves.subdivisions = "RIBBONS", 1
        image = render.image_settings
        image.file_format, image.color_depth, image.color_mode = "OPEN_EXR", "32", "RGBA"
        scene.view_settings.view_transform = "Standard"

    def colour(self, seed: int) -> Floats:
        """(H, W, 4) linear, premultiplied."""
        cycles = bpy.context.scene.cycles
        cycles.samples, cycles.use_denoising, cycles.max_bounces, cycles.seed = self.samples, True, 5, seed
        return self._rendered()

    def alpha(self, seed: int, *, soft: bool) -> Floats:
        """(H, W): the same scene, all of it glowing evenly, which takes many samples in little time.

        soft: much of it is half covered, out of focus, and takes more of them.
        """
        scene, layer = bpy.context.scene, bpy.context.view_layer
        scene.cycles.samples = self.alpha_samples * (_SOFT if soft else 1)
        scene.cycles.use_denoising = False
        scene.cycles.max_bounces, scene.cycles.seed = 0, seed
        layer.material_override = _glowing()
        try:
            return self._rendered()[..., 3]
        finally:
            layer.material_override = None

    def blur(self, shutter: float) -> None:
        """Motion blur over this share of a frame; 0 for none."""
        render = bpy.context.scene.render
        render.use_motion_blur, render.motion_blur_shutter = shutter > 0, max(shutter, 0.01)

    def _rendered(self) -> Floats:
        bpy.context.scene.render.filepath = str(self._file)
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(self._file))
        try:
            width, height = image.size
            pixels = np.empty(width * height * 4, np.float32)
            image.pixels.foreach_get(pixels)
        finally:
            bpy.data.images.remove(image)
            os.remove(self._file)
        return pixels.reshape(height, width, 4)[::-1].copy()


def _glowing() -> "bpy.types.Material":
    material = bpy.data.materials.get("glowing")
    if material is None:
        material = bpy.data.materials.new("glowing")
        material.use_nodes = True
        nodes = material.node_tree.nodes
        nodes.clear()
        glow, out = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
        material.node_tree.links.new(glow.outputs[0], out.inputs[0])
    return material
