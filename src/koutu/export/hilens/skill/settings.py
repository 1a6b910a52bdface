"""What can be set: defaults, config.json beside this file, and the skill configuration of the HiLens console.

Later ones win. The console hands numbers over as text, so text is understood for every kind of value.
"""

import json
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


class SettingsError(Exception):
    """A setting or the model's card is wrong; the message says which, and what is expected."""


DEFAULTS = {
    "check_value": "koutu",  # must equal the check value that the skill has in the console
    "camera": "",  # "" built in, "0" USB, else the name of a camera, rtsp://... or a file
    "camera_width": 0,  # scaled while it is read, not for built-in and USB cameras; 0 as it comes
    "camera_height": 0,
    "camera_seconds": 60,  # without a picture, until the skill gives up; 0 never
    "camera_wait": 500,  # milliseconds before a lost camera is opened again, doubled each time
    "mirror": True,
    "view_width": 0,  # what is cut from the middle and shown; 0: the network's aspect, 640 the longer side
    "view_height": 0,
    "scaling": "cpu",  # or "device": crop and scale by the Kit's Preprocessor
    "background": "#00b140",  # #rrggbb, "blur", "camera" (no change) or a picture file
    "blur": 10,  # strength, per cent of the view's shorter side
    "layout": "side_by_side",  # camera view | composite, or "full": the composite alone
    "display": "hdmi",  # or "rtmp" or "h264"
    "display_path": "",  # rtmp://... or the file, in the workspace unless absolute
    "failures": 5,  # inferences in a row that may fail before the model is loaded again
    "held_seconds": 60,  # in one call into the framework, until the skill ends itself; 0 never
    "log_every": 100,  # frames between two lines of timing
    "log_level": "info",
}
CHOICES = {
    "scaling": ("cpu", "device"),
    "layout": ("side_by_side", "full"),
    "display": ("hdmi", "rtmp", "h264"),
    "log_level": ("debug", "info", "warning", "error"),
}
RANGES = {
    "camera_width": (0, 4096), "camera_height": (0, 4096), "camera_seconds": (0, 86400), "camera_wait": (1, 16000),
    "view_width": (0, 1920), "view_height": (0, 1080), "blur": (1, 100), "failures": (1, 1000),
    "held_seconds": (0, 86400), "log_every": (1, 100000),
}  # fmt: skip


def read_settings(given):
    """The settings of `given`, the console's dict or None, over config.json. Raises SettingsError.

    Returns the settings and a list of keys that were not understood.
    """
    settings, unknown = dict(DEFAULTS), []
    local = _file(os.path.join(HERE, "config.json"))
    for layer in ({} if local is None else local, {} if given is None else given):
        if not isinstance(layer, dict):
            raise SettingsError(f"expected settings as names and values, got {layer!r}")
        for name in layer:
            if name in DEFAULTS:
                settings[name] = _value(name, layer[name])
            else:
                unknown.append(name)
    _check(settings)
    return settings, unknown


def read_card(model_dir):
    """The card that says what the model is like: beside the model, or beside this file. Raises SettingsError.

    width, height: of the network, even. source: "nv21" or "rgb", what its AIPP takes. inputs: names in the model's
    order; outputs alike. states: name of each state input to the output that fills it; shapes: of the states. alpha:
    the output that is alpha. model: the file's name.
    """
    places = [os.path.join(folder, "card.json") for folder in (model_dir, HERE)]
    card = next((found for found in map(_file, places) if found), None)
    if card is None:
        raise SettingsError("expected card.json in {}, found none; write the skill anew".format(" or ".join(places)))
    missing = {"model", "width", "height", "source", "inputs", "outputs", "states", "shapes", "alpha"} - set(card)
    if missing:
        raise SettingsError("card.json lacks {}; write the skill anew".format(", ".join(sorted(missing))))
    width, height = card["width"], card["height"]
    if width % 2 or height % 2 or min(width, height) < 16 or card["source"] not in ("nv21", "rgb"):
        raise SettingsError(f"card.json: expected even sides and nv21 or rgb, got {card}")
    known = set(card["states"]) | {"src"}
    if set(card["inputs"]) != known or not (set(card["states"].values()) | {card["alpha"]}) <= set(card["outputs"]):
        raise SettingsError(f"card.json: expected inputs src and the states, and their outputs, got {card}")
    return card


def view_size(settings, card):
    """(width, height) of the view, even."""
    width, height = settings["view_width"], settings["view_height"]
    longer = 640.0 / max(card["width"], card["height"])
    if not width and not height:
        width, height = card["width"] * longer, card["height"] * longer
    width = width or height * card["width"] / float(card["height"])
    height = height or width * card["height"] / float(card["width"])
    width, height = round(width) & -2, round(height) & -2
    if min(width, height) < 128:  # the display's own limit
        raise SettingsError(f"expected a view of at least 128 x 128, got {width} x {height}")
    return width, height


def rgb(text):
    """(R, G, B) of #rrggbb; None for any other text."""
    if not re.match(r"#[0-9a-fA-F]{6}$", text):
        return None
    return tuple(int(text[i : i + 2], 16) for i in (1, 3, 5))


def _file(path):
    if not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            return json.loads(file.read().decode("utf-8"))
    except ValueError as e:
        raise SettingsError(f"{path}: expected JSON, got something else ({e})") from e


def _value(name, value):
    """The value as the default's type."""
    kind = type(DEFAULTS[name])
    text = str(value).strip()
    if kind is bool:
        if text.lower() in ("true", "1", "yes", "on"):
            return True
        if text.lower() in ("false", "0", "no", "off"):
            return False
        raise SettingsError(f"{name}: expected true or false, got {value!r}")
    if kind is int:
        try:
            return int(text)
        except ValueError as e:
            raise SettingsError(f"{name}: expected a whole number, got {value!r}") from e
    return text


def _check(settings):
    for name in CHOICES:
        if settings[name] not in CHOICES[name]:
            wanted = ", ".join(CHOICES[name])
            raise SettingsError(f"{name}: expected one of {wanted}, got {settings[name]!r}")
    for name in RANGES:
        low, high = RANGES[name]
        if not low <= settings[name] <= high:
            raise SettingsError(f"{name}: expected {low} to {high}, got {settings[name]}")
    width, height = settings["camera_width"], settings["camera_height"]
    if (width or height) and (width % 16 or height % 2 or min(width, height) < 128):
        raise SettingsError(f"camera size: expected a multiple of 16 x 2, from 128, got {width} x {height}")
    if settings["display"] != "hdmi" and not settings["display_path"]:
        raise SettingsError("display_path: expected where {} goes, got nothing".format(settings["display"]))
    if settings["display"] == "rtmp" and not settings["display_path"].startswith("rtmp://"):
        raise SettingsError("display_path: expected rtmp://..., got {!r}".format(settings["display_path"]))
