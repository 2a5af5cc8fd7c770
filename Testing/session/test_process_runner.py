import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from cmcseg.core.grid import Grid
from cmcseg.core.messages import Message
from cmcseg.core.volume import Volume
from cmcseg.session.ports import Listener
from cmcseg.session.process_runner import ProcessRunner

WORKER = [sys.executable, str(Path(__file__).parents[1] / "helpers" / "slow_worker.py")]
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX"),
    pytest.mark.alone,
]


class Heard:
    """A listener that remembers."""

    def __init__(self):
        self.progress, self.answer, self.failure, self.cancelled = [], None, None, False

    @property
    def listener(self):
        return Listener(
            progressed=self.progress.append,
            finished=lambda answer: setattr(self, "answer", answer),
            failed=lambda sentence, log: setattr(self, "failure", (sentence, log)),
            cancelled=lambda: setattr(self, "cancelled", True),
        )

    @property
    def over(self):
        return bool(self.answer or self.failure or self.cancelled)


@pytest.fixture
def a_runner(tmp_path):
    runner = ProcessRunner(WORKER, logs=tmp_path / "logs")
    yield runner
    runner.close()


def ask(runner, verb, **values):
    heard = Heard()
    heard.job = runner.start(Message(verb=verb, values=values), heard.listener)
    return heard


def until(runner, true, seconds=20.0):
    """Pump as a host does; the longest pump in seconds."""
    worst, deadline = 0.0, time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        began = time.perf_counter()
        runner.pump()
        worst = max(worst, time.perf_counter() - began)
        time.sleep(0.005)
    return worst


def done(runner, verb, **values):
    heard = ask(runner, verb, **values)
    until(runner, lambda: heard.over)
    return heard


def lives(pid):
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pid, seconds=2.0):
    deadline = time.monotonic() + seconds
    while lives(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not lives(pid)


def test_a_folder_in_the_place_of_logs_or_of_a_log_stops_no_worker(tmp_path):
    (tmp_path / "file").write_text("")
    many = tmp_path / "many"
    for number in range(12):
        (many / f"worker-0{number:02d}.log").mkdir(parents=True)
    for logs in (tmp_path / "file", many):
        runner = ProcessRunner(WORKER, logs=logs)
        assert done(runner, "slow", seconds=0).answer
        assert Path(runner.log).is_file()
        runner.close()


def test_the_second_request_finds_the_worker_warm(a_runner):
    first = done(a_runner, "slow", seconds=0)
    began = time.monotonic()
    second = done(a_runner, "slow", seconds=0)
    assert second.answer.values["pid"] == first.answer.values["pid"]
    assert time.monotonic() - began < 0.5


def test_requests_wait_in_line(a_runner):
    both = [ask(a_runner, "slow", seconds=0.1), ask(a_runner, "slow", seconds=0)]
    assert a_runner.busy
    until(a_runner, lambda: both[0].over)
    assert not both[1].over
    until(a_runner, lambda: both[1].over)
    assert not a_runner.busy


def test_progress_only_grows_and_ends_below_or_at_one(a_runner):
    heard = done(a_runner, "slow", seconds=0.6)
    fractions = [p.fraction for p in heard.progress]
    assert len(fractions) >= 3
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 1


def test_arrays_arrive_as_they_were_sent(a_runner):
    grid = Grid(shape=(5, 6, 7), affine=np.diag([1, 2, 3, 1.0]))
    array = np.random.default_rng(0).integers(-1000, 1000, grid.shape).astype(np.int16)
    heard = Heard()
    volume = Volume(array=array.copy(order="F"), grid=grid, facts={"modality": "CT"})
    a_runner.start(Message(verb="echo", volumes={"ct": volume}), heard.listener)
    until(a_runner, lambda: heard.over)
    back = heard.answer.volumes["ct"]
    assert (back.array == array).all()
    assert back.grid.agrees_with(grid)
    assert back.facts == {"modality": "CT"}


def test_cancel_ends_the_whole_process_tree_within_a_second(a_runner):
    heard = ask(a_runner, "child", seconds=600)
    until(a_runner, lambda: heard.progress)
    child, worker = int(heard.progress[0].stage), a_runner.pid
    began = time.monotonic()
    a_runner.cancel(heard.job)
    until(a_runner, lambda: heard.over)
    took = time.monotonic() - began
    assert heard.cancelled
    assert took < 1.0
    assert gone(worker, 0.5)
    assert gone(child, 0.5)
    assert done(a_runner, "slow", seconds=0).answer


def test_a_request_that_waits_is_cancelled_without_disturbing_the_one_that_runs(a_runner):
    running, waiting = ask(a_runner, "slow", seconds=0.3), ask(a_runner, "slow", seconds=0)
    a_runner.pump()
    a_runner.cancel(waiting.job)
    assert waiting.cancelled
    until(a_runner, lambda: running.over)
    assert running.answer


def test_a_worker_killed_at_ten_random_moments_is_told_and_replaced(a_runner):
    chance = random.Random(7)
    for _ in range(10):
        heard = ask(a_runner, "slow", seconds=30)
        a_runner.pump()
        pause = time.monotonic() + chance.uniform(0, 0.8)
        until(a_runner, lambda stop=pause: time.monotonic() > stop)
        os.kill(a_runner.pid, signal.SIGKILL)
        until(a_runner, lambda h=heard: h.over)
        sentence, log = heard.failure
        assert sentence == (
            "The worker was killed from outside, as happens when memory runs out; close other "
            "programs and try again."
        )
        assert Path(log).is_file()
    assert done(a_runner, "slow", seconds=0).answer


LAUNCHER = """
import subprocess, sys
code = subprocess.run([sys.executable, *sys.argv[1:]]).returncode
if code < 0:
    print("error: [python-real] exit abnormally - Report the problem.", file=sys.stderr)
sys.exit(1 if code < 0 else code)
"""


@pytest.fixture
def a_launched_runner(tmp_path):
    """A worker behind a program that starts it, as PythonSlicer is."""
    path = tmp_path / "launcher.py"
    path.write_text(LAUNCHER, encoding="utf-8")
    runner = ProcessRunner([sys.executable, str(path), WORKER[1]], logs=tmp_path / "logs")
    yield runner
    runner.close()


def test_a_worker_that_is_killed_behind_its_launcher_is_told(a_launched_runner):
    inner = done(a_launched_runner, "slow", seconds=0).answer.values["pid"]
    assert inner != a_launched_runner.pid
    heard = ask(a_launched_runner, "slow", seconds=30)
    a_launched_runner.pump()
    os.kill(inner, signal.SIGKILL)
    until(a_launched_runner, lambda: heard.over)
    assert heard.failure[0] == (
        "The worker was killed from outside or crashed, as happens when memory runs out; close "
        "other programs and try again."
    )
    assert done(a_launched_runner, "slow", seconds=0).answer


@pytest.mark.parametrize("how", ["launcher killed", "cancelled", "closed"])
def test_nothing_is_left_behind_a_launcher(a_launched_runner, how):
    inner = done(a_launched_runner, "slow", seconds=0).answer.values["pid"]
    heard = ask(a_launched_runner, "slow", seconds=30)
    until(a_launched_runner, lambda: heard.progress)
    if how == "launcher killed":
        os.kill(a_launched_runner.pid, signal.SIGKILL)
    elif how == "cancelled":
        a_launched_runner.cancel(heard.job)
    else:
        a_launched_runner.close()
    assert gone(inner)


def test_a_worker_that_dies_while_idle_is_replaced_without_a_word(a_runner):
    done(a_runner, "slow", seconds=0)
    pid = a_runner.pid
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    time.sleep(0.1)
    assert done(a_runner, "slow", seconds=0).answer
    assert a_runner.pid != pid


def test_a_crash_is_told_with_its_last_words_and_its_log(a_runner):
    sentence, log = done(a_runner, "die").failure
    assert sentence == (
        "The worker ended unexpectedly (exit code 3): CUDA error: an illegal memory access; try "
        "again, or see the log."
    )
    assert "illegal memory access" in Path(log).read_text()


@pytest.mark.parametrize(
    ("verb", "sentence"),
    [
        ("refuse", "The MR does not overlap the CT (centres 812 mm apart)."),
        (
            "stumble",
            "Something unforeseen happened (RuntimeError: tensor sizes differ); please report it "
            "with the log.",
        ),
        (
            "full",
            "The disk did not do as asked (No space left on device); make room and try again.",
        ),
        (
            "lacking",
            "The Python package torch is missing; install the requirements of CMCSeg and try "
            "again.",
        ),
    ],
)
def test_a_failure_is_one_sentence_and_the_worker_lives_on(a_runner, verb, sentence):
    pid = done(a_runner, "slow", seconds=0).answer.values["pid"]
    assert done(a_runner, verb).failure[0] == sentence
    assert done(a_runner, "slow", seconds=0).answer.values["pid"] == pid


def test_noise_on_the_streams_disturbs_nothing(a_runner):
    assert done(a_runner, "noise").answer.verb == "noise"
    assert done(a_runner, "slow", seconds=0).answer


def test_a_python_that_is_not_there_is_told(tmp_path):
    runner = ProcessRunner("/nowhere/python", logs=tmp_path)
    assert done(runner, "slow").failure == (
        "The worker cannot be started with /nowhere/python (No such file or directory); check the "
        "installation.",
        "",
    )


def test_a_missing_package_at_the_start_is_told(tmp_path):
    script = tmp_path / "bare.py"
    script.write_text("import tyro_is_not_here\n")
    runner = ProcessRunner([sys.executable, str(script)], logs=tmp_path)
    assert done(runner, "slow").failure[0] == (
        "The worker could not start, as the Python package tyro_is_not_here is missing; install "
        "the requirements of CMCSeg and try again."
    )


def test_the_worker_finds_this_package_wherever_it_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = ProcessRunner([sys.executable, "-S"], logs=tmp_path)  # no installed package at all
    words = r"^The worker could not start, as the Python package (\w+) is missing; install the "
    missing = re.match(words, done(runner, "models").failure[0])
    assert missing
    assert missing[1] != "cmcseg"


def test_a_disk_without_room_for_the_scans_is_told(a_runner, monkeypatch):
    done(a_runner, "slow", seconds=0)

    def refuse(message, path):  # noqa: ARG001
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cmcseg.session.worker_process.write_message", refuse)
    grid = Grid(shape=(2, 2, 2), affine=np.eye(4))
    volume = Volume(array=np.zeros((2, 2, 2)), grid=grid)
    heard = Heard()
    a_runner.start(Message(verb="echo", volumes={"ct": volume}), heard.listener)
    until(a_runner, lambda: heard.over)
    assert heard.failure[0].startswith("The scans could not be handed to the worker, as ")
    assert heard.failure[0].endswith(
        "does not take them (No space left on device); make room there and try again."
    )


def test_an_idle_worker_gives_its_memory_back(tmp_path):
    runner = ProcessRunner(WORKER, logs=tmp_path, idle_seconds=0.2)
    done(runner, "slow", seconds=0)
    pid = runner.pid
    until(runner, lambda: runner.pid == 0)
    assert gone(pid)
    assert done(runner, "slow", seconds=0).answer
    runner.close()


def test_closing_leaves_no_process_and_no_folder(tmp_path):
    runner = ProcessRunner(WORKER, logs=tmp_path)
    heard = ask(runner, "child", seconds=600)
    until(runner, lambda: heard.progress)
    pids = [int(heard.progress[0].stage), runner.pid]
    folder = runner._worker.folder
    runner.close()
    assert all(gone(pid) for pid in pids)
    assert not folder.exists()


def test_the_worker_dies_with_whoever_started_it(tmp_path):
    host = f"""
import pathlib, time
from cmcseg.core.messages import Message
from cmcseg.session.ports import Listener
from cmcseg.session.process_runner import ProcessRunner
runner = ProcessRunner({WORKER!r}, logs=pathlib.Path({str(tmp_path)!r}))
told = []
quiet = Listener(finished=print, failed=print, progressed=lambda p: told.append(p.stage))
runner.start(Message(verb="child", values={{"seconds": 600}}), quiet)
while not told:
    runner.pump()
    time.sleep(0.01)
print(told[0], runner.pid, runner._worker.folder, flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", host], stdout=subprocess.PIPE, text=True)
    child, worker, folder = process.stdout.readline().split()
    process.kill()
    process.wait()
    process.stdout.close()
    assert gone(int(worker))
    assert gone(int(child))
    assert not Path(folder).exists()


def test_the_window_is_never_kept_waiting_while_scans_travel(a_runner):
    grid = Grid(shape=(256, 256, 120), affine=np.diag([1.5, 1.5, 3, 1]))
    array = np.random.default_rng(0).integers(-1000, 1000, grid.shape).astype(np.int16)
    volume = Volume(array=np.asfortranarray(array), grid=grid)
    done(a_runner, "slow", seconds=0)
    worst = []
    for _ in range(3):
        heard = Heard()
        a_runner.start(Message(verb="echo", volumes={"ct": volume}), heard.listener)
        worst.append(until(a_runner, lambda h=heard: h.over))
        assert heard.answer
    assert min(worst) < 0.05, worst  # the best of three: other programs share the machine
