#!/usr/bin/env python3
"""Trains teachers, then students that follow them, in a given time on one CUDA GPU.

    train.py --fer-train BINARY --data fer2013.csv --out RUNS --seconds 700
    train.py … --teachers FOLDER --no-own-teachers      students of the checkpoints in FOLDER, from the first second on

Networks of a stage are trained all at once; each finds out in its first epochs how many fit. Runs lie in --out and can
be resumed: what is complete is left alone, what was cut off goes on.

The binary needs the CUDA half of the libtorch that it was built against: that of Python's torch, of the same version.
"""

import argparse
import csv
import dataclasses
import os
import pathlib
import re
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


# Labels are softened by what FER+ votes say of them.
VOTES = ("data.ferplus=0.4",)
MILDER = ("augment.mixup=0.15", "augment.erase=0.1")
# A first convolution that keeps the resolution: four times the work.
WHOLE = ("model.resnet.widths=[48,96,192,384]", "model.resnet.stem_stride=1")
TEACHERS = [
    Net("teacher-vgg8", 2, VOTES),
    Net("teacher-vgg8", 3, VOTES),
    Net("teacher-resnet", 1, VOTES + MILDER + WHOLE),
]
VGG = ("optimiser.learning_rate=0.08", "optimiser.weight_decay=0.0005")
STUDENTS = [
    Net("student", 1, VOTES + VGG + ("model={vgg: {widths: [32,96,192,320], dense: [224], dropout: 0.3}}",)),
    Net("student", 2, VOTES + VGG + ("model={vgg: {widths: [24,64,128,256], dense: [128], dropout: 0.3}}",)),
    Net("student", 3, VOTES),
    Net("student", 4, VOTES + ("model.resnet.widths=[16,48,128,160]", "model.resnet.stem_stride=1")),
]
# The part of the time that teachers get.
TEACHERS_SHARE = 0.47
# A teacher that is so much less often right than the best has not learnt to teach.
BEHIND = 0.1
# Seconds that a run takes beside training: to start and to read the data.
BESIDE = 8.0
# Seconds between two checkpoints, at most; of a short time a part.
SAVE_EVERY = 60
SAVE_PART = 0.05
# Seconds that a run gets to end its epoch and save it, at most; of a short time a part.
TO_END = 15
END_PART = 0.05
STARTED = time.monotonic()


def elapsed():
    return time.monotonic() - STARTED


def allowed(options):
    """Seconds from `started` in --out in which all has to be done. A file `seconds` there corrects what was asked for."""
    path = options.out / "seconds"
    return float(path.read_text()) if path.exists() else options.seconds


def save_every(options):
    return min(SAVE_EVERY, SAVE_PART * options.seconds)


def say(text):
    print(f"[{elapsed():6.1f}] {text}", flush=True)


def environment(mps):
    import torch

    library = pathlib.Path(torch.__file__).parent / "lib"
    changes = {"LD_LIBRARY_PATH": str(library), "OMP_NUM_THREADS": "1"}
    if (library / "libtorch_cuda.so").exists():
        changes["LD_PRELOAD"] = str(library / "libtorch_cuda.so")
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

    def __init__(self, options, net, teachers=()):
        self.options, self.net, self.teachers = options, net, teachers
        self.failed = False
        self.folder = options.out / net.name
        self.best = self.folder / "best.safetensors"
        self.last = self.folder / "last.safetensors"

    def start(self, env, seconds):
        options, net = self.options, self.net
        resumed = self.last.exists()
        recipe = self.folder / "recipe.yaml" if resumed else RECIPES / f"{net.recipe}.yaml"
        command = [options.fer_train, "distill" if self.teachers else "train", recipe]
        command += ["--data", options.data, "--out", self.folder, "--save-every", f"{save_every(options):.1f}"]
        for teacher in self.teachers:
            command += ["--teacher", teacher]
        if resumed:
            command.append("--resume")
        else:
            command += ["--fit-into", f"{max(seconds - BESIDE, 1):.1f}"]
            for value in (f"seed={net.seed}", *net.settings, *options.set):
                command += ["--set", value]
        self.folder.mkdir(parents=True, exist_ok=True)
        log = open(self.folder / "stderr.log", "ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, env=env)

    def history(self):
        path = self.folder / "log.csv"
        return list(csv.DictReader(open(path))) if path.exists() else []

    def epochs(self):
        """As many as its recipe says by now."""
        path = self.folder / "recipe.yaml"
        found = re.search(r"^  epochs: (\d+)$", path.read_text(), re.MULTILINE) if path.exists() else None
        return int(found[1]) if found else 0

    def is_complete(self):
        return 0 < self.epochs() <= len(self.history())

    def is_learning(self):
        return self.process.poll() is None and not self.is_complete()

    def ask_to_end(self):
        """The first signal: it saves the epoch that is under way. What a complete run does after its last epoch needs
        no GPU and is left out."""
        self.failed = self.process.poll() not in (0, None)
        self.process.terminate()

    def end(self, until):
        """Waits until it has ended, at most `until`; whether it had not failed before it was asked to."""
        try:
            self.process.wait(timeout=max(until - elapsed(), 0))
        except subprocess.TimeoutExpired:
            # The second signal ends it at once.
            self.process.terminate()
            self.process.wait()
        if self.failed:
            words = (self.folder / "stderr.log").read_bytes()[-600:].decode(errors="replace")
            say(f"{self.net.name} failed:\n{words}")
        elif not self.is_complete():
            kept = "it can be resumed" if self.last.exists() else "nothing of it is saved: it begins anew"
            say(f"{self.net.name}: out of time; {kept}")
        return not self.failed

    def chosen(self):
        """The row of the epoch that is best so far."""
        return next((row for row in reversed(self.history()) if row["best"] == "1"), {})

    def accuracy(self):
        return float(self.chosen().get("validation_accuracy", 0))

    def told(self):
        rows, chosen = self.history(), self.chosen()
        accuracy, f1 = chosen.get("validation_accuracy"), chosen.get("validation_macro_f1")
        rate = float(rows[-1]["images_per_second"]) if rows else 0.0
        say(
            f"{self.net.name}: {len(rows)} of {self.epochs()} epochs, {rate:.0f} images/s, best {chosen.get('epoch')}: "
            f"validation accuracy {accuracy}, macro-F1 {f1}"
        )


def to_end(options):
    """What runs get to end an epoch and save it, in seconds."""
    return min(TO_END, END_PART * options.seconds)


def together(runs, env, until, to_end):
    """Trains all at once, at most until `until` (seconds since the start); whether none failed.

    They may learn for 3 % longer, and then get `to_end` seconds.
    """
    for run in runs:
        run.start(env, until - elapsed())
    told = elapsed()
    # A schedule's last epochs count most.
    while any(run.is_learning() for run in runs) and elapsed() < until * 1.03:
        if any(run.process.poll() not in (0, None) for run in runs) and not any(run.history() for run in runs):
            break
        time.sleep(0.2)
        if elapsed() - told > 20:
            told = elapsed()
            say(" ".join(f"{run.net.name} {len(run.history())}/{run.epochs()}" for run in runs))
    for run in runs:
        run.ask_to_end()
    last = elapsed() + to_end
    ended = [run.end(last) for run in runs]
    for run in runs:
        run.told()
    return all(ended)


def followed(options, teachers):
    """The teachers' weights that students follow: those of when the first students began. A student goes on only
    with the very teachers that it had, and a teacher that was cut off learns on."""
    folder = options.out / "followed"
    if not folder.exists():
        part = options.out / "followed.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        accuracy = max((run.accuracy() for run in teachers), default=0.0)
        learnt = [run for run in teachers if run.accuracy() > accuracy - BEHIND]
        found = {run.net.name: run.best for run in learnt if run.best.exists()}
        for run in set(teachers) - set(learnt):
            say(f"{run.net.name}: right on {run.accuracy():.3f} where another is on {accuracy:.3f}: does not teach")
        if options.teachers:
            found |= {path.stem: path for path in options.teachers.glob("*.safetensors")}
        for name, path in found.items():
            shutil.copy(path, part / f"{name}.safetensors")
        if found:
            part.rename(folder)
    return sorted(folder.glob("*.safetensors"))


def evaluate(options, teachers, split):
    """Figures of each teacher and of their mean, on the CPU, while the GPU is busy. One alone has no mean."""
    env = os.environ | {"LD_LIBRARY_PATH": environment(False)["LD_LIBRARY_PATH"], "OMP_NUM_THREADS": "5"}
    log = open(options.out / f"evaluate.{split}.log", "ab")
    kind, models = ("ensemble", teachers) if len(teachers) > 1 else ("evaluate", ["--model", *teachers])
    command = [options.fer_train, kind, *models, "--data", options.data, "--split", split]
    command += ["--json", options.out / f"{kind}.{split}.json"]
    return subprocess.Popen(command, stdout=log, stderr=log, env=env)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fer-train", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=700.0, help="of which all has to be done")
    parser.add_argument("--teachers", type=pathlib.Path, help="folder of further teachers, looked into when students begin")
    parser.add_argument("--no-own-teachers", action="store_true", help="trains none, but follows those of --teachers")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes every recipe")
    options = parser.parse_args()
    if options.no_own_teachers and not options.teachers:
        parser.error("--no-own-teachers: students need teachers; name a folder of checkpoints: --teachers FOLDER")
    # A process that is started by a bare name is looked for in PATH alone.
    binary = options.fer_train if options.fer_train.exists() else shutil.which(options.fer_train)
    if binary is None:
        parser.error(f"--fer-train: `{options.fer_train}` is not there; name the binary that `cargo build -p fer-train` makes")
    options.fer_train = pathlib.Path(binary).resolve()
    return options


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "started").write_text(str(time.time() - elapsed()))
    mps = start_mps()
    teachers = [] if options.no_own_teachers else [Run(options, net) for net in TEACHERS]
    left = [run for run in teachers if not run.is_complete()]
    until = options.seconds * TEACHERS_SHARE
    if left and not together(left, environment(mps), until, to_end(options)) and mps and elapsed() < until / 4:
        say("once more without MPS")
        stop_mps()
        mps = False
        together(left, environment(mps), until, to_end(options))
    best = followed(options, teachers)
    say(f"teachers: {[path.stem for path in best]}")
    if not best:
        sys.exit("no teacher came to an epoch's end")
    names = {path.stem for path in best}
    own = [run.best for run in teachers if run.net.name in names]
    scores = [evaluate(options, own, split) for split in ("public", "private")] if own else []
    students = [Run(options, net, best) for net in STUDENTS]
    until = (allowed(options) - to_end(options)) / 1.03
    well = together([run for run in students if not run.is_complete()], environment(mps), until, to_end(options))
    for score in scores:
        score.wait()
    if not well:
        sys.exit(f"not all students came to their end: {', '.join(run.net.name for run in students if run.failed)}")


if __name__ == "__main__":
    main()
