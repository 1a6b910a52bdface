"""The text of an AIPP configuration as pairs of names and values, and refusals of what is not simulated."""

import re
from pathlib import Path

from koutu.types import ModelError

FORMATS = ("YUV420SP_U8", "RGB888_U8")
MATRIX = tuple(f"matrix_r{row}c{column}" for row in range(3) for column in range(3))
SIDES = ("top", "bottom", "left", "right")
_WITHOUT = {  # what else a text may hold, as long as it asks for nothing
    "resize": "false", "ax_swap_switch": "false", "single_line_mode": "false", "rotation_angle": "0",
    "cpadding_value": "0", "aipp_mode": "static",
}  # fmt: skip
_DEFAULTS: dict[str, str] = {  # the documentation's
    "related_input_rank": "0", "rbuv_swap_switch": "false", "csc_switch": "false", "crop": "false", "padding": "false",
    "load_start_pos_h": "0", "load_start_pos_w": "0", "padding_value": "0", "input_bias_0": "16", "input_bias_1": "128",
    "input_bias_2": "128", "output_bias_0": "16", "output_bias_1": "128", "output_bias_2": "128",
    **{f"{name}_chn_{i}": "1" if name == "var_reci" else "0" for name in ("mean", "min", "var_reci") for i in range(3)},
    **{f"{side}_padding_size": "0" for side in SIDES},
}  # fmt: skip
_KNOWN = {
    *_DEFAULTS, *_WITHOUT, *MATRIX, "input_format", "src_image_size_h", "src_image_size_w", "crop_size_h",
    "crop_size_w",
}  # fmt: skip
_OP = re.compile(r"aipp_op\s*\{(.*?)\}", re.DOTALL)
_FIELD = re.compile(r"(\w+)\s*:\s*(\"[^\"]*\"|[-+\w.]+)[\s,;]*")


def read_fields(path: Path) -> list[dict[str, str]]:
    """Names and values of every `aipp_op`, defaults filled in; raises ModelError for what cannot be simulated."""
    try:
        text = re.sub(r"#.*", "", path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as e:
        raise ModelError(f"{path}: expected an AIPP text, got {e}; check the path") from e
    if not (blocks := _OP.findall(text)) or _OP.sub("", text).strip():
        raise ModelError(f"{path}: expected aipp_op {{ … }} and nothing else, got something else; is it another file?")
    return [_fields(path, block) for block in blocks]


def _fields(path: Path, block: str) -> dict[str, str]:
    pairs = _FIELD.findall(block)
    given = {name: value.strip('"') for name, value in pairs}
    if (rest := _FIELD.sub("", block).strip()) or len(given) < len(pairs):
        raise ModelError(f"{path}: expected pairs NAME: VALUE, each name once, got {rest or pairs}; correct the text")
    asked = [f"{name}: {value}" for name, value in given.items() if _asks(name, value)]
    if given.get("input_format") not in FORMATS:
        asked.append(f"input_format: {given.get('input_format')}")
    if asked:
        raise ModelError(
            f"{path}: expected a static AIPP of {' or '.join(FORMATS)} without resizing, rotation, dynamic sizes and "
            f"AX swap, got {', '.join(asked)}; what is beyond that cannot be simulated"
        )
    needed = ["src_image_size_h", "src_image_size_w"]
    needed += ["crop_size_h", "crop_size_w"] if given.get("crop") == "true" else []
    needed += MATRIX if given.get("csc_switch") == "true" else []
    if missing := [name for name in needed if name not in given]:
        raise ModelError(f"{path}: expected {', '.join(missing)}, found none; give what ATC would have to guess")
    return _DEFAULTS | given


def _asks(name: str, value: str) -> bool:
    """Whether a pair asks for something that is not simulated."""
    if name in _WITHOUT:
        return value.lower() != _WITHOUT[name] and not (_WITHOUT[name] == "0" and value.strip("0.") == "")
    return name not in _KNOWN
