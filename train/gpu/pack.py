#!/usr/bin/env python3
"""Packs FER2013's CSV small, in parts, for a machine that files reach slowly; unpacks it there.

    pack.py pack fer2013.csv.zst FOLDER [--parts 2]     writes FOLDER/part0.fer, part1.fer ...
    pack.py unpack FOLDER... --out fer2013.csv          the same rows again, in their order

An image is coded as what the median edge detector of LOCO-I (Weinberger et al. 2000) mispredicts, compressed by xz:
about two thirds of the bytes of its pixels. Needs NumPy; packing a .zst file needs the command zstd.
"""

import argparse
import json
import lzma
import pathlib
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np

HEADER = "emotion,pixels,Usage"
SIDE = 48


def predicted(left, above, corner):
    """LOCO-I's guess of a pixel from the three before it."""
    low, high = np.minimum(left, above), np.maximum(left, above)
    return np.where(corner >= high, low, np.where(corner <= low, high, left + above - corner))


def residuals(images):
    """What the guess misses, modulo 256; beyond the border lies 0."""
    x = np.pad(images.astype(np.int16), ((0, 0), (1, 0), (1, 0)))
    guess = predicted(x[:, 1:, :-1], x[:, :-1, 1:], x[:, :-1, :-1])
    return ((x[:, 1:, 1:] - guess) & 255).astype(np.uint8)


def restored(missed):
    """The images again, pixel after pixel, all images at once."""
    x = np.zeros((SIDE + 1, SIDE + 1, len(missed)), np.int16)
    missed = np.ascontiguousarray(missed.transpose(1, 2, 0)).astype(np.int16)
    for row in range(SIDE):
        for column in range(SIDE):
            guess = predicted(x[row + 1, column], x[row, column + 1], x[row, column])
            x[row + 1, column + 1] = (guess + missed[row, column]) & 255
    return np.ascontiguousarray(x[1:, 1:].transpose(2, 0, 1)).astype(np.uint8)


def read(path):
    """Labels, usages and images of the CSV."""
    if path.suffix == ".zst":
        text = subprocess.run(["zstd", "-dc", path], stdout=subprocess.PIPE, check=True).stdout.decode()
    else:
        text = path.read_text()
    header, *rows = text.splitlines()
    if header != HEADER:
        sys.exit(f"{path}: header `{header}`; expected `{HEADER}`")
    labels, pixels, usages = zip(*(row.split(",") for row in rows))
    images = np.stack([np.array(row.split(" "), np.uint8) for row in pixels])
    return labels, usages, images.reshape(-1, SIDE, SIDE)


def pack(arguments):
    labels, usages, images = read(arguments.csv)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    bounds = np.linspace(0, len(images), arguments.parts + 1).astype(int)
    for part, (start, end) in enumerate(zip(bounds, bounds[1:])):
        head = json.dumps({"labels": labels[start:end], "usages": usages[start:end]}).encode()
        body = residuals(images[start:end]).tobytes()
        data = lzma.compress(len(head).to_bytes(8, "little") + head + body, preset=6)
        (arguments.folder / f"part{part}.fer").write_bytes(data)
        print(f"part{part}.fer: {end - start} images, {len(data)} bytes")


def rows(path):
    data = lzma.decompress(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:start])
    images = restored(np.frombuffer(data, np.uint8, offset=start).reshape(-1, SIDE, SIDE))
    words = [str(value) for value in range(256)]
    lines = []
    for label, usage, image in zip(head["labels"], head["usages"], images):
        lines.append(f"{label},{' '.join([words[value] for value in image.tobytes()])},{usage}\n")
    return "".join(lines)


def unpack(arguments):
    parts = [path for folder in arguments.folders for path in folder.glob("part*.fer")]
    parts.sort(key=lambda path: int(path.stem.removeprefix("part")))
    if not parts:
        sys.exit(f"no part*.fer in {arguments.folders}; make them by `pack.py pack`")
    with ProcessPoolExecutor() as pool, open(arguments.out, "w") as out:
        out.write(HEADER + "\n")
        out.writelines(pool.map(rows, parts))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("pack")
    command.add_argument("csv", type=pathlib.Path)
    command.add_argument("folder", type=pathlib.Path)
    command.add_argument("--parts", type=int, default=2)
    command.set_defaults(run=pack)
    command = commands.add_parser("unpack")
    command.add_argument("folders", type=pathlib.Path, nargs="+")
    command.add_argument("--out", type=pathlib.Path, required=True)
    command.set_defaults(run=unpack)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
