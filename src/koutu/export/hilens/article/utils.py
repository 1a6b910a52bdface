"""What run(work_path) does to a frame before and after the network. Python 3.7, numpy 1.16, OpenCV 3.4 or later."""

import json
import os

import cv2
import numpy as np

LONGER = 640  # side of what is cut from the middle of the frame and shown
COLOUR = (48, 80, 112)  # behind the person, RGB, where workspace/data/ has no background.jpg


def load_card(work_path):
    """What the model is like: its file, its size, and whether it takes RGB or NV21."""
    with open(os.path.join(work_path, "model", "card.json"), "rb") as file:
        return json.loads(file.read().decode("utf-8"))


def load_background(work_path):
    """RGB (H, W, 3): the picture, or a colour of one pixel."""
    bgr = cv2.imread(os.path.join(work_path, "workspace", "data", "background.jpg"))
    return np.full((1, 1, 3), COLOUR, np.uint8) if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def preprocess(frame, card):
    """NV21 → the view, RGB, cut from the middle and mirrored; and the same in the model's size and form, uint8."""
    rgb = cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_NV21)
    view = middle(rgb, card["width"], card["height"])
    scale = LONGER / float(max(card["width"], card["height"]))
    size = round(card["width"] * scale) & -2, round(card["height"] * scale) & -2
    view = cv2.flip(cv2.resize(view, size, interpolation=cv2.INTER_AREA), 1)
    picture = cv2.resize(view, (card["width"], card["height"]), interpolation=cv2.INTER_AREA)
    return view, picture if card["source"] == "rgb" else as_nv21(picture)


def middle(rgb, width, height):
    """The largest part of that aspect in the middle."""
    h, w = rgb.shape[:2]
    part_w, part_h = min(w, h * width // height), min(h, w * height // width)
    top, left = (h - part_h) // 2, (w - part_w) // 2
    return rgb[top : top + part_h, left : left + part_w]


def as_nv21(rgb):
    """(H*3//2, W)."""
    height, width = rgb.shape[:2]
    i420 = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    u, v = i420[height:].reshape(2, -1)
    return np.vstack([i420[:height], np.stack([v, u], axis=-1).reshape(height // 2, width)])


def composite(view, alpha, behind):
    """The view's person before the background, RGB."""
    height, width = view.shape[:2]
    alpha = cv2.resize(np.clip(alpha, 0, 1), (width, height))[..., None]
    scaled = cv2.resize(middle(behind, width, height), (width, height), interpolation=cv2.INTER_AREA)
    return np.rint(alpha * view + (1 - alpha) * scaled).astype(np.uint8)
