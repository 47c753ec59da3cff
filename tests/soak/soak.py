#!/usr/bin/env python3
"""Hours of streams: does memory stay, do threads and files, is each line of JSON there once?

    python3 tests/soak/soak.py FER [--minutes 120] [--restart 72] [--folder out/soak]

FER is the program `fer`. Eight streams of the demo's film run in one `fer run`: four from a camera,
which another `fer` serves over RTSP and which is killed (SIGKILL) every --restart seconds, and four
read frames from files. Each ten seconds the program's memory, threads and open files are noted in
samples.csv. What is promised is checked at the end; a broken promise ends with status 1. Growth is
judged by the samples that were taken while all eight streams ran: the later half of each life of the
camera.
"""

import argparse
import csv
import json
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import time

RATE = 10
SAMPLE_SECONDS = 10
# Promises: growth once everything has been used a while, and jitter of what is counted.
MOST_MB_AN_HOUR = 1.0
WARM_UP_SECONDS = 600
# A stream that watches the camera lacks that much with each restart, at most; so does any at the start.
LONGEST_GAP_SECONDS = 15

FILM = (
    'multifilesrc location="{frames}" loop=true caps=image/jpeg,framerate={rate}/1'
    " ! jpegdec ! identity sync=true"
)


def frames_of_the_demo(fer, folder):
    """The demo's film as numbered pictures; the pattern of their names."""
    subprocess.run([fer, "demo", "--out", folder / "demo"], check=True, stdout=subprocess.DEVNULL)
    film = next((folder / "demo").glob("*.mp4"))
    pattern = folder / "frame-%03d.jpg"
    line = (
        f'filesrc location="{film}" ! decodebin ! videoconvert ! videoscale ! videorate'
        f" ! video/x-raw,width=640,height=360,framerate={RATE}/1 ! jpegenc"
        f' ! multifilesink location="{pattern}"'
    )
    subprocess.run(["gst-launch-1.0", "-q", *shlex.split(line)], check=True)
    return pattern


def pipeline_files(folder, pattern, port):
    film = FILM.format(frames=pattern, rate=RATE)
    camera = folder / "camera.yaml"
    camera.write_text(
        f"version: 1\nstreams:\n  camera:\n    source:\n      gst: {json.dumps(film)}\n"
        f"    outputs:\n      - rtsp: {{ port: {port}, path: /camera, overlay: none }}\n"
    )
    streams = folder / "streams.yaml"
    lines = ["version: 1", "defaults:", "  outputs:"]
    lines += ["    - json: { file: '{stream}.jsonl', existing: refuse }", "streams:"]
    for number in range(4):
        rtsp = f"{{ url: 'rtsp://127.0.0.1:{port}/camera', transport: tcp }}"
        lines += [f"  network-{number}:", f"    source: {{ rtsp: {rtsp} }}"]
        lines += [f"  local-{number}:", "    source:", f"      gst: {json.dumps(film)}"]
        lines += ["    analysis: { analysis: background }"]
    streams.write_text("\n".join(lines) + "\n")
    return camera, streams


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def sample(pid, began, restarted):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return {
        "seconds": round(time.monotonic() - began, 1),
        "since_restart": round(time.monotonic() - restarted, 1),
        "resident_mb": int(resident.split()[1]) / 1024,
        "threads": len(list(pathlib.Path(f"/proc/{pid}/task").iterdir())),
        "files": len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir())),
    }


def slope_an_hour(samples):
    """Megabytes an hour, by least squares."""
    xs = [entry["seconds"] / 3600 for entry in samples]
    ys = [entry["resident_mb"] for entry in samples]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) / spread


def lines_problems(path):
    """What is wrong with a stream's JSON Lines, and how many lines there are."""
    problems, expected = [], None
    count = 0
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                frame = json.loads(line)["frame"]
            except (ValueError, KeyError) as error:
                problems.append(f"{path.name}:{number}: {error}")
                continue
            # Each life of the stream's pipeline counts its frames from 0.
            if expected is not None and frame not in (expected, 0):
                problems.append(f"{path.name}:{number}: frame {frame}, expected {expected}")
            expected = frame + 1
            count = number
    return problems, count


def run(arguments, folder):
    pattern = frames_of_the_demo(arguments.fer, folder)
    camera_file, streams_file = pipeline_files(folder, pattern, free_port())
    log = open(folder / "fer.log", "w", encoding="utf-8")

    def start(file):
        # In a session of its own: Ctrl-C is for this script alone, which interrupts them once.
        return subprocess.Popen(
            [arguments.fer, "run", file], cwd=folder, stderr=log, stdout=log, start_new_session=True
        )

    camera, program = start(camera_file), start(streams_file)
    began = restarted = sampled = time.monotonic()
    samples, restarts, now = [], 0, began
    table = open(folder / "samples.csv", "w", encoding="utf-8", newline="", buffering=1)
    writer = csv.DictWriter(table, sample(program.pid, began, restarted).keys())
    writer.writeheader()
    try:
        while time.monotonic() - began < arguments.minutes * 60:
            time.sleep(1)
            if program.poll() is not None:
                raise SystemExit(f"fer run ended with {program.returncode}: see {folder}/fer.log")
            if camera.poll() is not None:
                raise SystemExit(f"the camera ended with {camera.returncode}: see {folder}/fer.log")
            now = time.monotonic()
            if now - restarted >= arguments.restart:
                camera.kill()
                camera.wait()
                camera = start(camera_file)
                restarts, restarted = restarts + 1, now
            if now - sampled >= SAMPLE_SECONDS:
                samples.append(sample(program.pid, began, restarted))
                writer.writerow(samples[-1])
                sampled = now
    except KeyboardInterrupt:
        print(f"interrupted after {(time.monotonic() - began) / 60:.0f} minutes")
    finally:
        camera.kill()
        program.send_signal(signal.SIGINT)
        program.wait(60)
    return samples, restarts, program.returncode, now - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fer", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--restart", type=float, default=72, help="seconds between restarts")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("out/soak"))
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True)
    # Ends early with what is there, in the background too, where shells have SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    samples, restarts, status, seconds = run(arguments, folder)
    problems = [] if status == 0 else [f"fer run ended with {status}"]
    lines = {}
    for path in sorted(folder.glob("*-?.jsonl")):
        wrong, lines[path.stem] = lines_problems(path)
        problems += wrong
    if len(lines) != 8:
        problems.append(f"{len(lines)} streams wrote lines, expected 8")
    # A restart takes some seconds from those that watch the camera.
    least = RATE * (seconds - LONGEST_GAP_SECONDS * (restarts + 1))
    for name, count in lines.items():
        if count < least:
            problems.append(f"{name} wrote {count} lines in {seconds:.0f} s, at least {least:.0f} expected")
    warm = [
        entry
        for entry in samples
        if entry["seconds"] >= WARM_UP_SECONDS and entry["since_restart"] >= arguments.restart / 2
    ]
    print(f"{arguments.minutes:.0f} minutes, {restarts} restarts, lines: {lines}")
    if len(warm) >= 10:
        slope = slope_an_hour(warm)
        threads = [entry["threads"] for entry in warm]
        files = [entry["files"] for entry in warm]
        print(
            f"memory {warm[0]['resident_mb']:.1f} to {warm[-1]['resident_mb']:.1f} MB, "
            f"{slope:+.2f} MB an hour; threads {min(threads)}-{max(threads)}, "
            f"files {min(files)}-{max(files)}"
        )
        if slope > MOST_MB_AN_HOUR:
            problems.append(f"memory grows by {slope:.2f} MB an hour, at most {MOST_MB_AN_HOUR}")
        half = len(warm) // 2
        for name, counts in (("threads", threads), ("files", files)):
            if min(counts[half:]) > max(counts[:half]):
                problems.append(f"{name} grow: {min(counts[half:])} after {max(counts[:half])}")
    else:
        print("too short to tell how memory grows: ten minutes are warm-up")
    for problem in problems[:20]:
        print(problem)
    print(f"{len(problems)} promises broken" if problems else "all promises held")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
