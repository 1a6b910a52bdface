"""Put the person of a video before a picture, with OpenCV alone: its own DNN module runs the network.

koutu export koutu-small --to onnx --size 512x288 --preprocess outside -o small.onnx
python opencv_dnn_video.py small.onnx 512 288 talk.mp4 lake.jpg out.mp4
"""

import sys

import cv2
import numpy as np

model, width, height, source, picture, out = sys.argv[1:]
net = cv2.dnn.readNetFromONNX(model)
small = int(width), int(height)
video = cv2.VideoCapture(source)
size = int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
behind = cv2.resize(cv2.imread(picture), size).astype(np.float32)
writer = cv2.VideoWriter(out, cv2.VideoWriter_fourcc(*"mp4v"), video.get(cv2.CAP_PROP_FPS), size)
prev, looks = np.zeros((1, 1, small[1], small[0]), np.float32), 2  # a first frame is looked at twice
while True:
    more, frame = video.read()
    if not more:
        break
    shrunk = cv2.resize(frame, small, interpolation=cv2.INTER_AREA)
    src = cv2.dnn.blobFromImage(shrunk, 1 / 255, swapRB=True)  # (1, 3, H, W), RGB in [0, 1]
    for _ in range(looks):
        net.setInput(src, "src")
        net.setInput(prev, "prev")
        prev = np.array(net.forward("pha"))  # alpha is the memory of the next frame
    looks = 1
    alpha = cv2.resize(prev[0, 0], size)[..., None]
    writer.write((alpha * frame + (1 - alpha) * behind).round().astype(np.uint8))
writer.release()
