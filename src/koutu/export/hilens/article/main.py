#! /usr/bin/python3.7
"""A person before another background on a HiLens Kit, in the form of published skills: run(work_path) and preprocess.

Put a main.py of your own in its place, or change this one; model/card.json has the model's size.
"""

import os

import hilens
from utils import composite, load_background, load_card, preprocess

CHECK_VALUE = "koutu"  # must equal the console's


def run(work_path):
    """Until the camera gives no more; work_path: the folder that model/ and workspace/ are in."""
    hilens.init(CHECK_VALUE)
    camera = hilens.VideoCapture()
    display = hilens.Display(hilens.HDMI)
    card = load_card(work_path)
    model = hilens.Model(os.path.join(work_path, "model", card["model"]))
    behind = load_background(work_path)
    while True:
        try:
            frame = camera.read()  # NV21
        except RuntimeError:
            break
        view, picture = preprocess(frame, card)
        outputs = model.infer([picture.flatten()])
        if isinstance(outputs, int):
            hilens.error(f"infer: error code {outputs}; mostly the input is not of the model's size")
            continue
        alpha = outputs[card["outputs"].index(card["alpha"])].reshape(card["height"], card["width"])
        display.show(hilens.cvt_color(composite(view, alpha, behind), hilens.RGB2YUV_NV21))
    hilens.terminate()


if __name__ == "__main__":
    run(os.getcwd())
