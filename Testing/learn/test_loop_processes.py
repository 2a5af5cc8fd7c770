"""The loop in several processes: the same run as in one, only shared."""

import csv
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from cmcseg.core.errors import BadInput
from cmcseg.core.settings import TrainSettings
from cmcseg.data.batches import unlabelled_batches
from cmcseg.learn.distributed import ProcessGroup
from cmcseg.learn.loop import fit
from safetensors.torch import load_file
from tiny import tiny_cache

pytest.importorskip("lightning_fabric")


class Fabric:
    """Stands in for one process of several."""

    def __init__(self, rank, count):
        self.global_rank, self.world_size = rank, count
        self.is_global_zero = rank == 0


@pytest.fixture(scope="module")
def a_cache(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_cache(tmp_path_factory.mktemp("tiny"), train=4)


def trained(cache, folder, recipe, processes):
    """``cmcseg train`` as a user starts it; one thread a process."""
    words = ["train", recipe, "--cache", cache.folder, "--out", folder, "--steps", "4"]
    words += ["--batch", "2", "--labelled", "0.5", "--device", "cpu"]
    start = [sys.executable, "-m"]
    if processes > 1:
        start += ["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", "-m"]
    command = [*start, "cmcseg", *map(str, words)]
    done = subprocess.run(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Model: ") == 1, done.stdout
    with (folder / "losses.csv").open() as handle:
        return [[float(value) for value in row.values()] for row in csv.DictReader(handle)]


class PlugPulledError(Exception):
    """Somebody pulled the plug."""


def begun(cache, folder):
    """The first two steps of the same run in this process."""
    seen = []

    def report(progress):
        seen.append(progress)
        if len(seen) == 3:
            raise PlugPulledError

    settings = TrainSettings(recipe="best", steps=4, batch=2, labelled=0.5, check_every=1)
    with pytest.raises(PlugPulledError):
        fit(cache, replace(settings, device="cpu"), folder, validate_every=0, report=report)


def test_two_processes_go_on_where_one_stopped_and_end_as_one(a_cache, tmp_path):
    one = trained(a_cache, tmp_path / "one", "best", 1)
    begun(a_cache, tmp_path / "two")
    two = trained(a_cache, tmp_path / "two", "best", 2)
    assert len(one) == len(two) == 4
    for mine, others in zip(one, two, strict=True):
        assert others == pytest.approx(mine, rel=1e-3, abs=1e-4)  # bfloat16, where there is any
    alone, shared = (
        load_file(tmp_path / name / "checkpoint.safetensors") for name in ("one", "two")
    )
    assert alone.keys() == shared.keys()
    for name in (key for key in alone if key.startswith("network.")):
        assert torch.allclose(alone[name], shared[name], atol=1e-4), name


def test_the_shares_of_a_batch_are_the_batch(a_cache):
    batch = unlabelled_batches(a_cache, TrainSettings(batch=4, labelled=0.5))[0]
    teams = [ProcessGroup(device=torch.device("cpu"), fabric=Fabric(rank, 2)) for rank in (0, 1)]
    first, second = (processes.share(batch) for processes in teams)
    for m in (0, 1):
        together = torch.stack([first.images[m], second.images[m]], dim=1).flatten(0, 1)
        assert torch.equal(together, batch.images[m])
    assert [processes.first for processes in teams] == [True, False]


def test_a_batch_that_cannot_be_shared_is_refused(a_cache, tmp_path):
    processes = ProcessGroup(device=torch.device("cpu"), fabric=Fabric(0, 2))
    with pytest.raises(BadInput, match="A batch of 3 cannot be shared evenly by 2 processes; give"):
        fit(a_cache, TrainSettings(batch=3, device="cpu"), tmp_path, processes=processes)
