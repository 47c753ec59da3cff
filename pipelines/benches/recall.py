"""What the defaults miss: of the faces found by scanning every frame, or of those that YuNet sees in each frame.

    python3 recall.py FER CLIP...
    python3 recall.py FER --yunet YUNET.onnx CLIP...

Runs `fer annotate` twice over each clip. A face counts as found where a box overlaps it by half; by YuNet, whose
boxes are narrower, by a third.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

EVERY_FRAME = ["--set", "inference-interval=0", "--set", "scan-interval=0"]
YUNET = ["--set", "detector=yunet", "--set", "min-face=0.03", "--set"]


def boxes(fer, clip, settings):
    with tempfile.TemporaryDirectory() as folder:
        lines = pathlib.Path(folder) / "lines.jsonl"
        subprocess.run([fer, "annotate", clip, "-o", lines, *settings], check=True, capture_output=True)
        return [json.loads(line)["objects"] for line in lines.read_text().splitlines()]


def overlap(a, b):
    width = min(a["x"] + a["w"], b["x"] + b["w"]) - max(a["x"], b["x"])
    height = min(a["y"] + a["h"], b["y"] + b["h"]) - max(a["y"], b["y"])
    both = max(width, 0) * max(height, 0)
    return both / (a["w"] * a["h"] + b["w"] * b["h"] - both)


def main(fer, clips):
    reference, least = EVERY_FRAME, 0.5
    if clips[0] == "--yunet":
        reference, least, clips = EVERY_FRAME + YUNET + [f"detector-model={clips[1]}"], 0.35, clips[2:]
    faces = found = extra = 0
    for clip in clips:
        for every, ours in zip(boxes(fer, clip, reference), boxes(fer, clip, [])):
            seen = [face for face in every if face["detected"]]
            faces += len(seen)
            found += sum(any(overlap(face, box) >= least for box in ours) for face in seen)
            extra += sum(all(overlap(face, box) < least for face in every) for box in ours)
    print(f"{faces} faces, {found} found ({100 * found / max(faces, 1):.1f} %), {extra} boxes more")


main(sys.argv[1], sys.argv[2:])
