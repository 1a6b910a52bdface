#!/usr/bin/env bash
# Cycles renders hair over a transparent film as colours multiplied by alpha, and its denoiser (Open Image Denoise) is
# known to leave alpha as it is. One expects, then, that what evenly glowing strands show, divided by alpha, is their
# colour with the denoiser on as well, only smoother: the picture holds no noise at all, as every sample that meets a
# strand sees the same value and alpha counts them. Without the denoiser it is their colour, in every pixel, to the last
# digit. With it, it is not in any mixed pixel: it reads the steps of coverage as noise, spreads colour over the outline
# and leaves alpha where it was, so that single pixels come out at a fourteenth and at four times the strands' colour. More samples
# make it less, and do not end it.
# Matting cares because foreground colour beside exact alpha is what rendered people are made for: a network that learns
# from F = colour ÷ alpha of a denoised render learns dark and glowing hair that no strand has.
set -euo pipefail
python=$(command -v python3.11) || { echo "not tried: Blender's module wants Python 3.11"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check bpy==5.0.1 numpy==1.26.4
cat >"$folder/strands.py" <<'PYTHON'
import math
import random

import bpy
import numpy as np

COLOUR = np.array([0.8, 0.4, 0.2])
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.device = "CPU"
scene.cycles.seed = 1
scene.render.resolution_x = scene.render.resolution_y = 96
scene.render.film_transparent = True
scene.view_settings.view_transform = "Raw"
scene.render.image_settings.file_format = "OPEN_EXR"
scene.render.image_settings.color_depth = "32"
scene.render.image_settings.color_mode = "RGBA"

strands = bpy.data.curves.new("strands", "CURVE")
strands.dimensions, strands.bevel_depth = "3D", 0.004
draw = random.Random(0)
for _ in range(60):
    x, y, angle = draw.uniform(-0.8, 0.8), draw.uniform(-0.8, 0.8), draw.uniform(0, 2 * math.pi)
    points = strands.splines.new("POLY").points
    points.add(1)
    points[0].co = (x, y, 0, 1)
    points[1].co = (x + 0.6 * math.cos(angle), y + 0.6 * math.sin(angle), 0, 1)
glow = bpy.data.materials.new("glow")
glow.use_nodes = True
nodes = glow.node_tree.nodes
nodes.clear()
light, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
light.inputs[0].default_value = (*COLOUR, 1)
glow.node_tree.links.new(light.outputs[0], output.inputs[0])
strands.materials.append(glow)
scene.collection.objects.link(bpy.data.objects.new("strands", strands))
lens = bpy.data.cameras.new("camera")
lens.type, lens.ortho_scale = "ORTHO", 2
scene.camera = bpy.data.objects.new("camera", lens)
scene.camera.location = (0, 0, 5)
scene.collection.objects.link(scene.camera)


def rendered(denoised, samples, path):
    scene.cycles.use_denoising, scene.cycles.samples, scene.render.filepath = denoised, samples, path
    bpy.ops.render.render(write_still=True)
    return np.array(bpy.data.images.load(path, check_existing=False).pixels).reshape(-1, 4)


print("bpy", bpy.app.version_string)
for samples in (12, 64):
    plain, clean = (rendered(how, samples, f"{__file__}.{samples}.{how}.exr") for how in (False, True))
    assert np.array_equal(plain[:, 3], clean[:, 3]), "the denoiser changed alpha"
    mixed = (plain[:, 3] > 0.05) & (plain[:, 3] < 0.9)
    assert mixed.sum() > 1000
    for name, picture in (("as rendered", plain), ("denoised", clean)):
        share = picture[mixed, :3] / picture[mixed, 3:] / COLOUR
        print(f"{samples} samples, {name}: colour / alpha is {share.min():.2f} to {share.max():.2f} of the strands' own,"
              f" off by over 5 % in {100 * (abs(share - 1) > 0.05).any(axis=1).mean():.0f} % of mixed pixels")
        if picture is plain:
            assert abs(share - 1).max() < 1e-3, "colours are not multiplied by alpha any more"
        else:
            assert share.min() < 0.6 and share.max() > 1.3, "the denoiser keeps to alpha now"
PYTHON
"$folder/venv/bin/python" "$folder/strands.py" 2>&1 | grep -E '^(bpy|[0-9]+ samples)|Error' | tee "$folder/told"
[ "$(grep -c samples "$folder/told")" = 4 ]
echo "as described"
