"""The real worker with a few more verbs: slow, broken, noisy. Started as a program by tests."""
# ruff: noqa: ARG001, T201 - every verb is called with the same three things, and some print

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.core.messages import Message, prediction_to_message
from cmcseg.core.prediction import Prediction
from cmcseg.core.progress import Progress
from cmcseg.core.volume import Volume
from cmcseg.worker.serve import serve
from cmcseg.worker.verbs import VERBS

TABLE = LabelTable(
    labels=(
        Label(value=1, name="liver", color="#d55e00"),
        Label(value=2, name="left kidney", color="#56b4e9"),
    )
)


def slow(request, warm, report):
    """Work for ``seconds``, telling how far it is."""
    began, seconds = time.monotonic(), request.values["seconds"]
    while (done := time.monotonic() - began) < seconds:
        report(Progress(stage="working", done=min(done, seconds), total=seconds))
        time.sleep(0.02)
    return Message(verb="slow", values={"pid": os.getpid()})


def child(request, warm, report):
    """Start a process of its own, as data loaders do, and work on."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    report(Progress(stage=str(process.pid), done=0, total=1))
    return slow(request, warm, report)


def echo(request, warm, report):
    """Give back what came."""
    return request


def threshold(request, warm, report):
    """Segment by the numbers alone, for tests that need a result and no network."""
    labels, doubt = {}, {}
    for role, volume in request.volumes.items():
        report(Progress(stage=f"segmenting the {role}", done=0, total=1))
        found = (volume.array > 0).astype(np.uint8)
        labels[role] = LabelMap(array=found, grid=volume.grid, table=TABLE)
        unsure = np.asfortranarray(found * np.float32(0.4))
        doubt[role] = Volume(array=unsure, grid=volume.grid)
    made = Prediction(labels=labels, doubt=doubt, model="tiny", version="1", sha256="0")
    return prediction_to_message(made, {})


def looked(request, warm, report):
    """Remember a scan as a network would that looks at the numbers alone."""
    sys.path.insert(0, str(Path(__file__).parent))  # a worker leaves out its script's own folder
    from marked import remembered

    ((_, volume),) = request.volumes.items()
    warm.remember(request.values["scan"], remembered(volume))
    return Message(verb="look", values={"scan": request.values["scan"]})


def noise(request, warm, report):
    """Print on both streams, in bytes that are no UTF-8."""
    print("a library says hello")
    sys.stdout.flush()
    os.write(1, b"\xff\xfe\n")
    os.write(2, b"caf\xe9\n")
    return Message(verb="noise")


def die(request, warm, report):
    """End with words on the error stream."""
    print("CUDA error: an illegal memory access", file=sys.stderr)
    sys.stderr.flush()
    os._exit(3)


def refuse(request, warm, report):
    """Say no in our own words."""
    raise BadInput("The MR does not overlap the CT (centres 812 mm apart).")


def stumble(request, warm, report):
    """Fail in a way nobody foresaw."""
    raise RuntimeError("tensor sizes differ")


def full(request, warm, report):
    """Run out of disk."""
    raise OSError(28, "No space left on device")


def lacking(request, warm, report):
    """Miss a package."""
    raise ModuleNotFoundError("No module named 'torch'", name="torch")


if __name__ == "__main__":
    VERBS.update(
        slow=slow,
        segment=threshold, look=looked, child=child, echo=echo, noise=noise, die=die,
        refuse=refuse, stumble=stumble, full=full, lacking=lacking,
    )  # fmt: skip
    serve(Path(sys.argv[sys.argv.index("--folder") + 1]))
