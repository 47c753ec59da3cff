"""What most emotion libraries do, frame by frame: OpenCV's Haar cascade, then a network for each face.

    fer bench CLIP --size 1280x720          # ours, on the same clip
    python3 python_loop.py CLIP MODEL.onnx  # mini_xception: [n, 64, 64, 1], (pixel / 255 - 0.5) * 2

Needs opencv-python below 5 and onnxruntime. Frames are decoded and made grey beforehand; prints frames a second.
"""

import os
import sys
import time

import cv2
import numpy
import onnxruntime

CASCADE = "/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml"


def main(clip, model):
    capture, frames = cv2.VideoCapture(clip), []
    while len(frames) < 250:
        ok, frame = capture.read()
        if not ok:
            break
        frames.append(cv2.cvtColor(cv2.resize(frame, (1280, 720)), cv2.COLOR_BGR2GRAY))
    if not frames:
        sys.exit(f"{clip}: no frames")
    cascade = cv2.CascadeClassifier(CASCADE)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name, shape = session.get_inputs()[0].name, session.get_inputs()[0].shape
    side = 64
    faces_seen, start, cpu = 0, time.perf_counter(), time.process_time()
    for grey in frames:
        # The values of face_classification, fer and their like.
        for x, y, w, h in cascade.detectMultiScale(grey, 1.3, 5):
            face = cv2.resize(grey[y : y + h, x : x + w], (side, side))
            face = (face.astype(numpy.float32) / 255 - 0.5) * 2
            face = face[None, :, :, None] if shape[-1] == 1 else face[None, None]
            session.run(None, {name: face})
            faces_seen += 1
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(
        f"{len(frames)} frames, {faces_seen} faces: {len(frames) / wall:.1f} frames/s, "
        f"{1000 * cpu / len(frames):.1f} ms CPU a frame ({os.path.basename(model)})"
    )


main(*sys.argv[1:3])
