"""Where hair grows: the dark cap that MakeHuman's skins have painted in, as weights of the head's triangles."""

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from arrays import Floats, Ints
from body import SKIN_VERTICES, Body
from materials import picture
from skeleton import Skeleton
from skins import FOLDER, WOMEN

_LUMA = np.array([0.3, 0.6, 0.1])
_LIGHT, _RANGE = 0.655, 0.10  # luma of bare skin in the texture, and from there to full hair
_HEAD_PART = 0.6  # u of the head's island begins


@dataclass
class Scalp:
    """corners (T, 3) of the head's triangles; hair and beard: a weight each; up and back: of centres, 0 at the eyes.

    up is 1 at the crown; back 0 at the head's middle, in head sizes.
    """

    corners: Ints
    hair: Floats
    beard: Floats

    def painted(self, amount: Floats) -> Floats:
        """A triangle's amount at the skin's vertices (SKIN_VERTICES,), as a mean."""
        total, count = np.zeros(SKIN_VERTICES), np.zeros(SKIN_VERTICES)
        for k in range(3):
            np.add.at(total, self.corners[:, k], amount)
            np.add.at(count, self.corners[:, k], 1)
        return np.clip(total / np.maximum(count, 1), 0, 1)


def find_scalp(body: Body, skeleton: Skeleton, *, receding: bool) -> Scalp:
    """Of this head; receding: crown and forehead bare."""
    mesh, skin = body.template.mesh, body.skin
    of_head = np.zeros(SKIN_VERTICES, bool)
    of_head[body.head_vertices] = True
    corners, uvs = [], []
    for i in body.template.skin:
        face, face_uvs = mesh.faces[i], mesh.face_uvs[i]
        if of_head[face].all():
            corners += [(face[0], face[k], face[k + 1]) for k in range(1, len(face) - 1)]
            uvs += [(face_uvs[0], face_uvs[k], face_uvs[k + 1]) for k in range(1, len(face) - 1)]
    triangles, uv = np.array(corners), mesh.uvs[np.array(uvs)].mean(1)
    colour = _texture(body.template.assets / FOLDER / f"{WOMEN[0]}.png", uv)
    centres, half = skin[triangles].mean(1), 0.5 * np.ptp(skin[body.head_vertices, 0])
    eye, size = skeleton.eyes["l"][2], skeleton.size
    up, back = (centres[:, 2] - eye) / (skeleton.crown - eye), (centres[:, 1] - skeleton.centre[1]) / size
    beside_ear = (np.abs(centres[:, 0]) > 0.92 * half) & (up < 0.45) & (back < 0.2)
    hair = np.clip((_LIGHT - colour @ _LUMA) / _RANGE, 0, 1) * (uv[:, 0] > _HEAD_PART)
    hair *= (up > 0.25) | (back > 0.12) | ((up > -0.15) & (back > -0.05))
    hair *= (centres[:, 2] > skeleton.chin + 0.05 * size) & ~beside_ear
    if receding:
        hair *= (up < 0.55) | (back > 0.3)
    return Scalp(triangles, hair, _beard(body, skeleton, centres, colour))


def _beard(body: Body, skeleton: Skeleton, centres: Floats, colour: Floats) -> Floats:
    """Chin, cheeks below a line that climbs to the ears, and moustache, but no lips."""
    size, mouth = skeleton.size, body.joint("joint-mouth")
    front = body.skin[body.head_vertices, 1].min()
    up, deep = (centres[:, 2] - mouth[2]) / size, (centres[:, 1] - front) / size
    aside = np.abs(centres[:, 0]) / size
    skin = (colour[:, 0] - colour[:, 1] <= 0.30) & (up < 0.3) & (deep < 0.6)
    skin &= centres[:, 2] > skeleton.chin - 0.06
    cheek = np.clip((0.02 + 0.75 * np.clip(aside - 0.14, 0, 1) - up) / 0.05, 0, 1)
    low = (up < 0.02) | ((aside > 0.13) & (up < 0.3))
    moustache = (up > 0.03) & (up < 0.135) & (aside < 0.17)
    lips = (np.abs(up) < 0.05) & (aside < 0.135) & (deep < 0.2)
    return skin * ~lips * (np.where(low, cheek, 0) + moustache)


def _texture(path: Path, uv: Floats) -> Floats:
    """Colours (N, 3) of a picture at coordinates (N, 2)."""
    image: bpy.types.Image = picture(path)
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    columns = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    rows = np.clip((uv[:, 1] * height).astype(int), 0, height - 1)
    return pixels.reshape(height, width, 4)[rows, columns, :3]
