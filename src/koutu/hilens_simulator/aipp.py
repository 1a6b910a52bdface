"""AIPP in the simulator: the text that was built into a model, as a function of its input's bytes.

Static mode, whole pictures, with the text's own colour matrix; what else a text may ask for is refused, not left out.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from koutu.types import ModelError

BYTES = {"YUV420SP_U8": 1.5, "RGB888_U8": 3}  # of a pixel
_REFUSED = ("crop", "padding", "resize", "ax_swap_switch")
_READ = re.compile(
    r"aipp_mode|related_input_rank|input_format|src_image_size_[wh]|csc_switch|rbuv_swap_switch|matrix_r[0-2]c[0-2]"
    r"|(input|output)_bias_[0-2]|(mean|min|var_reci)_chn_[0-2]|load_start_pos_[wh]|crop_size_[wh]"
)


@dataclass(frozen=True)
class Aipp:
    """rank: number of the input; size: bytes it takes. Called with them, gives (1, 3, H, W) float32."""

    rank: int
    size: int
    fields: dict[str, str]

    def __call__(self, data: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes = self._planes(data).astype(np.int32)
        if self.fields.get("csc_switch") == "true":
            matrix = np.array([[int(self.fields.get(f"matrix_r{r}c{c}", 0)) for c in range(3)] for r in range(3)])
            planes -= self._three("input_bias", 0).astype(np.int32)
            planes = np.clip((np.tensordot(matrix, planes, 1) + 128) >> 8, 0, 255)  # the matrix is in 256ths
        low = self._three("mean_chn", 0) + self._three("min_chn", 0)
        return ((planes.astype(np.float32) - low) * self._three("var_reci_chn", 1))[None].astype(np.float32)

    def _planes(self, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(3, H, W): Y, Cb, Cr, each chroma sample for its four pixels; or R, G, B."""
        width, height = int(self.fields["src_image_size_w"]), int(self.fields["src_image_size_h"])
        swapped = self.fields.get("rbuv_swap_switch") == "true"
        if self.fields["input_format"] == "RGB888_U8":
            planes = data.reshape(height, width, 3).transpose(2, 0, 1)
            return planes[::-1] if swapped else planes
        luma, chroma = data[: height * width], data[height * width :].reshape(height // 2, width // 2, 2)
        chroma = chroma.repeat(2, axis=0).repeat(2, axis=1).transpose(2, 0, 1)
        return np.concatenate([luma.reshape(1, height, width), chroma[::-1] if swapped else chroma])

    def _three(self, name: str, otherwise: float) -> NDArray[np.float32]:
        values = [float(self.fields.get(f"{name}_{i}", otherwise)) for i in range(3)]
        return np.array(values, np.float32).reshape(3, 1, 1)


def read_aipp(path: Path) -> list[Aipp]:
    """Every `aipp_op` of the text; raises ModelError for what the simulator cannot do."""
    text = re.sub(r"#.*", "", path.read_text("utf-8"))
    blocks = re.findall(r"aipp_op\s*\{(.*?)\}", text, re.DOTALL)
    if not blocks:
        raise ModelError(f"{path}: expected aipp_op {{ … }}, found none; is it another file?")
    return [_read(path, number, block) for number, block in enumerate(blocks)]


def _read(path: Path, number: int, block: str) -> Aipp:
    fields = {name: value.lower() for name, value in re.findall(r"(\w+)\s*:\s*([-+\w.]+)", block)}
    fields["input_format"] = kind = fields.get("input_format", "").upper()
    switched = [name for name in _REFUSED if fields.pop(name, "false") != "false"]
    unread = switched + [name for name in fields if not _READ.fullmatch(name)]
    if unread or kind not in BYTES or fields.get("aipp_mode", "static") != "static":
        raise ModelError(
            f"{path}: expected a static AIPP of {' or '.join(BYTES)} without {', '.join(_REFUSED)}, got {kind}, "
            f"{fields.get('aipp_mode', 'static')}, {', '.join(unread) or 'nothing else'}; the simulator can do no more"
        )
    if not {"src_image_size_w", "src_image_size_h"} <= fields.keys():
        raise ModelError(f"{path}: expected src_image_size_w and _h, found neither or one; give both")
    pixels = int(fields["src_image_size_w"]) * int(fields["src_image_size_h"])
    return Aipp(int(fields.get("related_input_rank", number)), round(pixels * BYTES[kind]), fields)
