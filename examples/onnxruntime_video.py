"""Put the person of a video before a picture, with ONNX Runtime and OpenCV alone.

koutu export koutu --to onnx --size 592x336 -o koutu.onnx
python onnxruntime_video.py koutu.onnx talk.mp4 lake.jpg out.mp4
"""

import sys

import cv2
import numpy as np
import onnxruntime

model, source, picture, out = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
height, width = session.get_inputs()[0].shape[1:3]  # of rgb (1, H, W, 3) uint8
video = cv2.VideoCapture(source)
size = int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
behind = cv2.resize(cv2.imread(picture), size).astype(np.float32)
writer = cv2.VideoWriter(out, cv2.VideoWriter_fourcc(*"mp4v"), video.get(cv2.CAP_PROP_FPS), size)
prev, looks = np.zeros((1, 1, height, width), np.float32), 2  # an empty alpha; a first frame is shown twice
while True:
    more, frame = video.read()
    if not more:
        break
    small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)[None]
    for _ in range(looks):
        (prev,) = session.run(["pha"], {"rgb": rgb, "prev": prev})  # alpha is the memory of the next frame
    looks = 1
    alpha = cv2.resize(prev[0, 0], size)[..., None]
    writer.write((alpha * frame + (1 - alpha) * behind).round().astype(np.uint8))
writer.release()
