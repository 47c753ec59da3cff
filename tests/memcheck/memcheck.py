#!/usr/bin/env python3
"""valgrind's memcheck on a pipeline of ferdetect, feroverlay and ferjson.

    python3 tests/memcheck/memcheck.py PLUGIN [--frames 6] [--keep memcheck.xml]

PLUGIN is libgstfer.so, with line tables (`cargo build -p gst-plugin-fer`); ORT_DYLIB_PATH as
`./fer env` sets it. Ends with status 1 if memcheck has an error, or memory that is lost for good,
whose stack goes through the plugin. What others.supp names is left out, with the reason there.
"""

import argparse
import collections
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
FACE = HERE.parent.parent / "fer-backends/tests/fixtures/astronaut.ppm"

# A face of 80 by 80 pixels, in the formats whose ways through the code differ most.
PIPELINE = (
    'filesrc location="{face}" ! pnmdec ! imagefreeze num-buffers={frames} ! videoconvert'
    " ! video/x-raw,format={format},framerate=5/1"
    " ! ferdetect detector={detector} min-face=0.3 inference-interval=0 min-confidence=0"
    ' analysis={analysis} save-faces="{folder}"'
    ' ! feroverlay privacy={mode} ! ferjson ! filesink location="{folder}/out.jsonl"'
)
CASES = [
    ("I420", "haar", "inline", "blur"),
    ("RGB", "haar", "background", "none"),
]
OURS = "libgstfer.so"


def environment_with(plugin, folder):
    """The plugin alone in its folder, as GStreamer searches that to its depth; all plugins are known."""
    (folder / "plugins").mkdir()
    (folder / "plugins" / OURS).symlink_to(plugin)
    environment = os.environ | {
        "GST_PLUGIN_PATH": str(folder / "plugins"),
        "GST_REGISTRY": str(folder / "registry.bin"),
        "G_SLICE": "always-malloc",
        "G_DEBUG": "gc-friendly",
    }
    subprocess.run(["gst-inspect-1.0", "ferdetect"], env=environment, check=True, capture_output=True)
    return environment | {"GST_REGISTRY_UPDATE": "no"}


def memcheck(line, environment, report):
    return subprocess.run(
        [
            "valgrind", "--quiet", "--xml=yes", f"--xml-file={report}", "--error-limit=no",
            "--num-callers=80", "--leak-check=full", "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite", "--fair-sched=yes", "--keep-debuginfo=yes",
            f"--suppressions={HERE / 'others.supp'}",
            "gst-launch-1.0", "-q", *shlex.split(line),
        ],
        env=environment,
    ).returncode


def errors(report):
    """Each error's kind, words, and the functions and libraries of its stacks."""
    for error in ElementTree.parse(report).getroot().iter("error"):
        frames = [
            (
                frame.findtext("fn", "???"),
                pathlib.Path(frame.findtext("obj", "???")).name,
                ":".join(filter(None, (frame.findtext("file"), frame.findtext("line")))),
            )
            for frame in error.iter("frame")
        ]
        words = error.findtext("what") or error.findtext("xwhat/text") or ""
        yield error.findtext("kind"), words, frames


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("plugin", type=pathlib.Path)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--keep", type=pathlib.Path, help="where valgrind's report is left")
    options = parser.parse_args()
    plugin = options.plugin.resolve()
    if plugin.name != OURS or not plugin.is_file():
        sys.exit(f"{plugin}: no {OURS}")
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed")
    failed = False
    for format, detector, analysis, mode in CASES:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            report = folder / "memcheck.xml"
            values = dict(
                face=FACE, frames=options.frames, format=format, detector=detector,
                analysis=analysis, mode=mode, folder=folder,
            )
            environment = environment_with(plugin, folder)
            status = memcheck(PIPELINE.format(**values), environment, report)
            lines = (folder / "out.jsonl").read_text().splitlines()
            found = list(errors(report))
            if options.keep:
                shutil.copy(report, options.keep.with_stem(f"{options.keep.stem}-{format}"))
        ours = [error for error in found if any(library == OURS for _, library, _ in error[2])]
        faces = sum('"bounding_box"' in line for line in lines)
        print(
            f"{format} {analysis}: {len(lines)} frames, {faces} with a face;"
            f" {len(found)} errors, {len(ours)} through the plugin"
        )
        for kind, words, frames in ours:
            print(f"\n{kind}: {words}")
            first = next(at for at, frame in enumerate(frames) if frame[1] == OURS)
            for function, library, place in frames[: first + 12]:
                print(f"    {function} ({library} {place})")
        libraries = collections.Counter(frames[0][1] for _, _, frames in found if frames)
        print(f"    by the library that it happened in: {dict(libraries)}")
        failed |= bool(ours) or status != 0 or len(lines) != options.frames
        # A check that saw nothing is none. In the background faces come after the last frame, as analyses
        # take seconds under valgrind.
        failed |= analysis == "inline" and faces == 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
