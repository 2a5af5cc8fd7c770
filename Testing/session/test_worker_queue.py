"""The queue through the worker: what is asked, and what is not."""

import numpy as np
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.session.ports import Correction, Listener
from cmcseg.session.worker_queue import WorkerQueue

GRID = Grid(shape=(2, 2, 2), affine=np.eye(4))


class Runner:
    def __init__(self):
        self.asked = []

    def start(self, request, listener):
        self.asked.append((request, listener))


def a_correction():
    volume = Volume(array=np.zeros(GRID.shape, np.int16), grid=GRID)
    return Correction(
        volumes={"ct": volume}, corrected={}, found={}, model="", version="", sha256=""
    )


def test_a_queue_is_not_made_again_where_its_disk_is_gone(tmp_path):
    runner, told = Runner(), []
    queue = WorkerQueue(runner, tmp_path / "gone" / "queue", within=tmp_path / "gone")
    queue.add(a_correction(), Listener(finished=told.append, failed=lambda *w: told.append(w)))
    assert told == [(f"The folder {tmp_path / 'gone'} is gone; put it back, and accept again.", "")]
    assert runner.asked == []


def test_a_worker_that_lives_elsewhere_is_told_the_whole_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    runner = Runner()
    WorkerQueue(runner, "queue").list("", Listener(finished=print, failed=print))
    assert runner.asked[0][0].values["queue"] == str(tmp_path / "queue")
