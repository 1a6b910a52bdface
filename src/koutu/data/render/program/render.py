"""Cycles on the processor: a denoised colour pass, and an alpha pass of many samples."""

import os
import tempfile
from pathlib import Path

import bpy
import cv2
from arrays import Floats

_FPS = 24
_SOFT = 3  # times as many samples of alpha


class Renderer:
    """A scene of its own; `clear` empties it. samples and alpha_samples a pixel; threads of the processor."""

    def __init__(self, samples: int, alpha_samples: int, threads: int):
        self.samples, self.alpha_samples, self.threads = samples, alpha_samples, threads
        self._folder = tempfile.TemporaryDirectory(prefix="koutu-render-")
        self._file = Path(self._folder.name) / "pass.exr"
        os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"  # off unless asked for

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
        return self._rendered(glowing=False)

    def alpha(self, seed: int, *, soft: bool) -> Floats:
        """(H, W): the same scene, all of it glowing evenly, which takes many samples in little time.

        soft: much of it is half covered, out of focus, and takes more of them.
        """
        cycles = bpy.context.scene.cycles
        cycles.samples = self.alpha_samples * (_SOFT if soft else 1)
        cycles.use_denoising, cycles.max_bounces, cycles.seed = False, 0, seed
        return self._rendered(glowing=True)[..., 3]

    def blur(self, shutter: float) -> None:
        """Motion blur over this share of a frame; 0 for none."""
        render = bpy.context.scene.render
        render.use_motion_blur, render.motion_blur_shutter = shutter > 0, max(shutter, 0.01)

    def _rendered(self, *, glowing: bool) -> Floats:
        for material in bpy.data.materials:
            _let_glow(material)
            material.pass_index = int(glowing)
        scene = bpy.context.scene
        scene.render.filepath = str(self._file)
        scene.update_tag()
        bpy.ops.render.render(write_still=True)
        pixels = cv2.imread(str(self._file), cv2.IMREAD_UNCHANGED)  # Blender's own images would have all synced anew
        os.remove(self._file)
        if pixels is None:
            raise ValueError("expected an OpenCV that reads OpenEXR, got one without; install opencv-python-headless")
        return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)


def _let_glow(material: "bpy.types.Material") -> None:
    """Where its index is 1 a material glows; its graph, and with it the geometry in Cycles, stay the same."""
    if "glow" in material.node_tree.nodes:
        return
    nodes, links = material.node_tree.nodes, material.node_tree.links
    out = material.node_tree.get_output_node("CYCLES")
    glow, index, mix = (nodes.new("ShaderNode" + kind) for kind in ("Emission", "ObjectInfo", "MixShader"))
    glow.name = "glow"
    links.new(index.outputs["Material Index"], mix.inputs[0])
    links.new(out.inputs[0].links[0].from_socket, mix.inputs[1])
    links.new(glow.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], out.inputs[0])
    material.cycles.emission_sampling = "NONE"
