"""Which crop margin suits a model: mean raw probability of what faces in clips are known to show, for each margin.

    python3 crop_margin.py FER MANIFEST VIDEOS [MARGIN...]

VIDEOS is the folder of clips that STRETCHES names; each stretch counts the same. Faces are found by the defaults and
classified in every frame, nothing is smoothed.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

STRETCHES = [
    ("acted_fear.mp4", 0.0, 99.0, "fear"),
    ("acted_happy.mp4", 0.0, 99.0, "happiness"),
    ("d0.mp4", 0.0, 0.4, "neutral"),
    ("d18.mp4", 0.0, 1.0, "neutral"),
    ("d18.mp4", 2.5, 2.8, "surprise"),
    ("d18.mp4", 3.9, 4.8, "happiness"),
    ("d18.mp4", 6.5, 7.2, "sadness"),
    ("s20.mp4", 0.0, 3.0, "neutral"),
    ("single_face.mp4", 0.0, 0.7, "neutral"),
    ("single_face.mp4", 0.8, 2.2, "happiness"),
    ("truncated_sad.mp4", 0.0, 99.0, "sadness"),
]
MARGINS = [-0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2]


def with_margin(manifest, margin, folder):
    text, changed = re.subn(r"(?m)^(\s+margin:).*$", rf"\1 {margin}", manifest.read_text())
    if changed != 1:
        sys.exit(f"{manifest}: {changed} lines `margin:`; expected one")
    copy = folder / manifest.name
    copy.write_text(text)
    name = re.search(r"(?m)^file: (.+)$", text)[1]
    shutil.copy(manifest.with_name(name), folder / name)
    return copy


def frames(fer, clip, manifest, folder):
    """Seconds and raw probabilities of the largest face of each frame."""
    lines = folder / "lines.jsonl"
    settings = ["--set", "reclassify-interval=0", "--set", f"model-file={manifest}"]
    # A clip that is cut off is annotated as far as it goes, and told by the exit status.
    subprocess.run([fer, "annotate", clip, "-o", lines, *settings], capture_output=True)
    for line in lines.read_text().splitlines():
        frame = json.loads(line)
        known = [face for face in frame["objects"] if face.get("emotion", {}).get("inferred")]
        if known:
            yield frame["timestamp"] / 1e9, max(known, key=lambda face: face["w"])["emotion"]["raw"]
    lines.unlink()


def figures(fer, manifest, videos):
    with tempfile.TemporaryDirectory() as folder:
        seen = {clip: list(frames(fer, videos / clip, manifest, pathlib.Path(folder))) for clip, *_ in STRETCHES}
    for clip, start, end, expression in STRETCHES:
        hits = [raw[expression] for at, raw in seen[clip] if start <= at < end]
        yield sum(hits) / len(hits) if hits else float("nan")


def main(fer, manifest, videos, *margins):
    print("margin   mean  " + "  ".join(f"{clip[:5]}:{expression[:3]}" for clip, _, _, expression in STRETCHES))
    for margin in map(float, margins) if margins else MARGINS:
        with tempfile.TemporaryDirectory() as folder:
            copy = with_margin(pathlib.Path(manifest), margin, pathlib.Path(folder))
            found = list(figures(fer, copy, pathlib.Path(videos)))
        print(f"{margin:6.2f}  {sum(found) / len(found):.3f}  " + "  ".join(f"{value:9.3f}" for value in found))


main(*sys.argv[1:])
