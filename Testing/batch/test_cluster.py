"""A Ray cluster that loses computers: every pair is done once, and whole."""

import csv
import importlib.util

import machine
import pytest
from cmcseg.batch.cluster import Cluster
from cmcseg.batch.run import run_batch
from cmcseg.bundle.verify import read_card
from cmcseg.core.errors import BadInput
from cmcseg.core.settings import SegmentSettings
from tiny import tiny_bundle, tiny_pairs

SETTINGS = SegmentSettings(align="none", device="cpu")
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


@pytest.fixture(autouse=True, scope="module")
def _ray():
    if importlib.util.find_spec("ray") is None:
        machine.not_installed("a batch on a Ray cluster", "cmcseg[ray]")


@pytest.fixture(scope="module")
def two_machines():
    import ray
    from ray.cluster_utils import Cluster as Machines

    try:
        machines = Machines(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
        nodes = [machines.add_node(**NODE) for _ in range(2)]
    except Exception as error:
        if "timed out during startup" in str(error):
            pytest.skip("This computer is too busy for Ray, whose nodes must start in 15 s.")
        raise
    ray.init(address=machines.address, log_to_driver=False, logging_level="ERROR")
    yield machines, nodes
    ray.shutdown()
    machines.shutdown()


def test_a_machine_that_is_lost_takes_no_pair_with_it(tmp_path, two_machines):
    machines, nodes = two_machines
    model, scans, out = tiny_bundle(tmp_path / "model"), tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    tiny_pairs(scans, 4)
    lost, asked = [], []

    def lose(progress):
        if progress.done == 1:
            machines.remove_node(nodes.pop(), allow_graceful=False)
            lost.append(progress.done)

    def batch(engine, **more):
        return run_batch(scans, out, model, read_card(model), SETTINGS, engine, **more)

    table = batch(Cluster("auto", 1, 0.0), report=lose)
    assert lost == [1]
    with (out / "batch.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["pair"] for row in rows) == [str(n) for n in range(4)]
    assert table.failed == []
    assert not [path for path in out.iterdir() if path.name.startswith(".") and path.is_dir()]
    assert len({tuple(sorted(p.name for p in (out / str(n)).iterdir())) for n in range(4)}) == 1
    batch(lambda tasks: (asked.append(task) for task in tasks))
    assert asked == []


@pytest.mark.usefixtures("two_machines")
def test_a_pair_that_no_cluster_can_hold_is_refused(tmp_path):
    model, scans = tiny_bundle(tmp_path / "model"), tmp_path / "scans"
    scans.mkdir()
    tiny_pairs(scans, 1)
    with pytest.raises(BadInput, match=r"A pair takes 64 processors and 1 GPUs, but the cluster"):
        run_batch(
            scans, tmp_path / "out", model, read_card(model), SETTINGS, Cluster("auto", 64, 1.0)
        )
