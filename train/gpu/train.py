#!/usr/bin/env python3
"""Trains teachers, then students that follow them, in a given time on one CUDA GPU.

    train.py --fer-train BINARY --data fer2013.csv --out RUNS --seconds 590

First all networks are trained for a moment on a few images, as many at once as later, to see how many images a second
each gets; from that follow the epochs that fit. Runs lie in --out and can be resumed: what is complete is left alone,
what was cut off goes on. --rehearse stops after the first step, whose figures are kept in RUNS/rates.json.

The binary needs the CUDA half of the libtorch that it was built against: that of Python's torch, of the same version.
"""

import argparse
import csv
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
RECIPES = HERE.parent / "recipes"


@dataclasses.dataclass(frozen=True)
class Net:
    """A network to train: a recipe, its seed and what differs from the recipe."""

    recipe: str
    seed: int
    settings: tuple = ()

    @property
    def name(self):
        return f"{self.recipe}-{self.seed}"


# Labels are softened by what FER+ votes say of them; the others show what that brings.
VOTES = ("data.ferplus=0.4",)
TEACHERS = [Net("teacher-vgg8", 1), Net("teacher-resnet", 1), Net("teacher-resnet", 2, VOTES)]
STUDENTS = [Net("student", 1, VOTES), Net("student", 2), Net("tiny", 1, VOTES)]
# The part of the time that teachers get.
TEACHERS_SHARE = 0.48
# Rows of the small set that is rehearsed on, and those of them that are selected on.
REHEARSAL, HELD_BACK = 9_000, 500
# Seconds that a run takes beside training: to start and to read the data.
BESIDE = 8.0
# More than the warm-up of any recipe here.
LEAST_EPOCHS = 8
STARTED = time.monotonic()


def elapsed():
    return time.monotonic() - STARTED


def say(text):
    print(f"[{elapsed():6.1f}] {text}", flush=True)


def environment(mps):
    import torch

    library = pathlib.Path(torch.__file__).parent / "lib"
    changes = {"LD_LIBRARY_PATH": str(library), "LD_PRELOAD": str(library / "libtorch_cuda.so"), "OMP_NUM_THREADS": "1"}
    if mps:
        changes["CUDA_MPS_PIPE_DIRECTORY"] = "/tmp/fer-mps"
        changes["CUDA_MPS_LOG_DIRECTORY"] = "/tmp/fer-mps-log"
    return os.environ | changes


def start_mps():
    """NVIDIA's Multi-Process Service, by which processes share the GPU at the same moment."""
    for folder in ("/tmp/fer-mps", "/tmp/fer-mps-log"):
        os.makedirs(folder, exist_ok=True)
    try:
        subprocess.run(["nvidia-cuda-mps-control", "-d"], env=environment(True), timeout=20, check=False)
        asked = subprocess.run(["nvidia-cuda-mps-control"], input=b"get_server_list\n", env=environment(True), timeout=20)
        return asked.returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"no MPS: {error}")
        return False


def stop_mps():
    subprocess.run(["nvidia-cuda-mps-control"], input=b"quit\n", env=environment(True), timeout=20, check=False)


class Run:
    """One network's training."""

    def __init__(self, options, net, folder, data, epochs, teachers=()):
        self.folder, self.epochs = folder / net.name, epochs
        verb = ["distill"] if teachers else ["train"]
        self.command = [options.fer_train, *verb, RECIPES / f"{net.recipe}.yaml", "--data", data, "--out", self.folder]
        self.command += ["--set", f"seed={net.seed}", "--set", f"optimiser.epochs={epochs}"]
        for teacher in teachers:
            self.command += ["--teacher", teacher]
        for value in (*net.settings, *options.set):
            self.command += ["--set", value]
        self.best = self.folder / "best.safetensors"

    def start(self, env):
        command = list(self.command)
        if (self.folder / "last.safetensors").exists():
            command.append("--resume")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = open(self.folder / "stderr.log", "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=env)

    def history(self):
        path = self.folder / "log.csv"
        return list(csv.DictReader(open(path))) if path.exists() else []

    def rate(self):
        """Images a second of the second half of the epochs: the first are spent on choosing kernels."""
        rows = self.history()
        late = [float(row["images_per_second"]) for row in rows[len(rows) // 2 :]]
        return sum(late) / len(late) if late else 0.0

    def learning(self):
        """Whether epochs are still to come; the report after the last one needs no GPU."""
        return self.process.poll() is None and len(self.history()) < self.epochs

    def failed(self):
        return self.process.returncode not in (0, None)

    def last_words(self):
        return (self.folder / "stderr.log").read_bytes()[-600:].decode(errors="replace")


def together(runs, env, until):
    """Runs all at once, at most until `until` (seconds since the start); whether all came to their last epoch."""
    for run in runs:
        run.start(env)
    told = elapsed()
    while any(run.learning() for run in runs) and elapsed() < until:
        time.sleep(0.2)
        if elapsed() - told > 20:
            told = elapsed()
            say(" ".join(f"{run.folder.name} {len(run.history())}/{run.epochs}" for run in runs))
    for run in runs:
        if run.learning():
            run.process.terminate()
            run.process.wait()
            say(f"{run.folder.name}: out of time; --resume goes on")
        elif run.failed():
            say(f"{run.folder.name} failed:\n{run.last_words()}")
    return all(len(run.history()) >= run.epochs for run in runs)


def rehearse(options, env):
    """Images a second of every network, teachers together and students together; None where one failed."""
    small = options.out / "rehearsal.csv"
    if not small.exists():
        with open(options.data) as data, open(small, "w") as out:
            for row, line in enumerate(data):
                if row > REHEARSAL:
                    break
                held_back = row > REHEARSAL - HELD_BACK
                out.write(line.replace(",Training", ",PublicTest") if held_back else line)
    rates, folder = {}, options.out / f"rehearsal-{int(time.time())}"
    # The small set has no votes.
    plain = [[dataclasses.replace(net, settings=()) for net in nets] for nets in (TEACHERS, STUDENTS)]
    teachers = [Run(options, net, folder, small, 6) for net in plain[0]]
    if not together(teachers, env, elapsed() + 70):
        return None
    best = [run.best for run in teachers]
    students = [Run(options, net, folder, small, 10, best) for net in plain[1]]
    if not together(students, env, elapsed() + 70):
        return None
    for run in teachers + students:
        rates[run.folder.name] = run.rate()
        say(f"{run.folder.name}: {run.rate():.0f} images/s")
    return rates


def planned(options, nets, seconds, rates, images):
    """Epochs of each network that fit into the time; kept in a file, so that a resumed run keeps its schedule."""
    path = options.out / "epochs.json"
    plan = json.loads(path.read_text()) if path.exists() else {}
    for net in nets:
        # Seeds of one recipe get the same.
        rate = min(rates[other.name] for other in nets if other.recipe == net.recipe)
        plan.setdefault(net.name, max(LEAST_EPOCHS, int((seconds - BESIDE) * rate / images)))
    path.write_text(json.dumps(plan, indent=2))
    say(f"epochs: {plan}")
    return plan


def followed(options, teachers):
    """The teachers' weights that students follow: those of when the first students began. A student goes on only
    with the very teachers that it had, and a teacher that was cut off learns on."""
    folder = options.out / "followed"
    if not folder.exists():
        found = {run.folder.name: run.best for run in teachers if run.best.exists()}
        if options.teachers:
            found |= {path.stem: path for path in options.teachers.glob("*.safetensors")}
        part = options.out / "followed.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        for name, path in found.items():
            shutil.copy(path, part / f"{name}.safetensors")
        if found:
            part.rename(folder)
    return sorted(folder.glob("*.safetensors"))


def evaluate(options, teachers, split):
    """Figures of each teacher and of their mean, on the CPU, while the GPU is busy."""
    env = os.environ | {"LD_LIBRARY_PATH": environment(False)["LD_LIBRARY_PATH"], "OMP_NUM_THREADS": "5"}
    log = open(options.out / f"evaluate.{split}.log", "ab")
    best = [run.best for run in teachers]
    command = [options.fer_train, "ensemble", *best, "--data", options.data, "--split", split]
    command += ["--json", options.out / f"ensemble.{split}.json"]
    return subprocess.Popen(command, stdout=log, stderr=log, env=env)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fer-train", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=590.0, help="of which all has to be done")
    parser.add_argument("--rehearse", action="store_true")
    parser.add_argument("--teachers", type=pathlib.Path, help="folder of further teachers, looked into when students begin")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes every recipe")
    return parser.parse_args()


def rates_of(options):
    """What the rehearsal found, now or earlier."""
    known = options.out / "rates.json"
    if not known.exists():
        mps = start_mps()
        rates = rehearse(options, environment(mps))
        if rates is None and mps:
            say("once more without MPS")
            stop_mps()
            mps = False
            rates = rehearse(options, environment(mps))
        if rates is None:
            sys.exit(1)
        known.write_text(json.dumps({"mps": mps, "images_per_second": rates}, indent=2))
    return json.loads(known.read_text())


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    stored = rates_of(options)
    if options.rehearse:
        return
    rates, env = stored["images_per_second"], environment(stored["mps"] and start_mps())
    with open(options.data) as data:
        images = sum(",Training" in line[-16:] for line in data)

    def stage(nets, share, taught_by=()):
        until = options.seconds * share
        plan = planned(options, nets, until - elapsed(), rates, images)
        runs = [Run(options, net, options.out, options.data, plan[net.name], taught_by) for net in nets]
        # A stage may take a little of the next one's time: a schedule's last epochs count most.
        together(runs, env, min(options.seconds, until + 0.03 * options.seconds))
        return runs

    teachers = stage(TEACHERS, TEACHERS_SHARE)
    scores = [evaluate(options, teachers, split) for split in ("public", "private")]
    best = followed(options, teachers)
    say(f"teachers: {[str(path) for path in best]}")
    if not best:
        sys.exit("no teacher came to an epoch's end")
    students = stage(STUDENTS, 1.0, best)
    for left in [*scores, *(run.process for run in teachers + students)]:
        left.wait()
    for run in teachers + students:
        rows = run.history()
        chosen = [row for row in rows if row["best"] == "1"][-1:] or [{}]
        row = chosen[0]
        say(
            f"{run.folder.name}: {len(rows)} of {run.epochs} epochs, best {row.get('epoch')}: validation accuracy "
            f"{row.get('validation_accuracy')}, macro-F1 {row.get('validation_macro_f1')}"
        )


if __name__ == "__main__":
    main()
