#!/usr/bin/env python3
"""Prints what ferdetect finds: events from the bus, and the faces of a frame a second.

    eval "$(./fer env)"
    python3 gst-plugin-fer/examples/read_metadata.py             # the webcam
    python3 gst-plugin-fer/examples/read_metadata.py talk.mp4    # a recording

Needs PyGObject and GStreamer's descriptions for it: Debian's packages python3-gi and
gir1.2-gst-plugins-base-1.0.
"""

import json
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

ANALYSIS = "videoconvert ! ferdetect draw=false ! ferjson ! appsink name=lines sync=false max-buffers=8"


def build(path):
    if path is None:
        return Gst.parse_launch(f"v4l2src ! {ANALYSIS}")
    pipeline = Gst.parse_launch(f"filesrc name=file ! decodebin ! {ANALYSIS}")
    pipeline.get_by_name("file").set_property("location", path)
    return pipeline


def print_messages(bus):
    """What was posted since the last call; an error ends the program."""
    wanted = Gst.MessageType.ELEMENT | Gst.MessageType.ERROR
    while message := bus.pop_filtered(wanted):
        if message.type == Gst.MessageType.ERROR:
            error, details = message.parse_error()
            sys.exit(f"{error.message}\n{details}")
        event = message.get_structure()
        # Other elements have messages of their own.
        if event.get_name() != "ferdetect":
            continue
        text = f"{event.get_value('event')}: face {event.get_value('id')}"
        if event.get_value("event") == "emotion-changed":
            text += f", {event.get_value('from')} -> {event.get_value('to')}"
        print(text)


def print_faces(seconds, frame):
    for face in frame["objects"]:
        box = face["detection"]["bounding_box"]
        text = f"{seconds:.2f} s: face {face['id']} at {box['x_min']:.2f}, {box['y_min']:.2f}"
        emotion = face.get("emotion")
        if emotion is not None:
            text += f", {emotion['stable']} ({emotion['label']} {emotion['confidence']:.2f})"
        print(text)


def main():
    Gst.init(None)
    pipeline = build(sys.argv[1] if len(sys.argv) > 1 else None)
    bus, lines = pipeline.get_bus(), pipeline.get_by_name("lines")
    pipeline.set_state(Gst.State.PLAYING)
    shown = None
    try:
        while True:
            sample = lines.emit("try-pull-sample", Gst.SECOND // 10)
            print_messages(bus)
            if sample is None:
                if lines.get_property("eos"):
                    break
                continue
            buffer = sample.get_buffer()
            # A buffer is one line.
            frame = json.loads(buffer.extract_dup(0, buffer.get_size()))
            seconds = frame.get("timestamp", 0) / Gst.SECOND
            if int(seconds) != shown:
                shown = int(seconds)
                print_faces(seconds, frame)
    except KeyboardInterrupt:
        pass
    finally:
        pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
