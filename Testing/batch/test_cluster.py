"""A Ray cluster that loses computers: every pair is done once. Where Ray is not there, nothing."""

import csv

import pytest

ray = pytest.importorskip("ray")

from cmcseg.batch.cluster import Cluster  # noqa: E402
from cmcseg.batch.run import run_batch  # noqa: E402
from cmcseg.bundle.verify import read_card  # noqa: E402
from cmcseg.core.errors import BadInput  # noqa: E402
from cmcseg.core.settings import SegmentSettings  # noqa: E402
from ray.cluster_utils import Cluster as Machines  # noqa: E402
from tiny import tiny_bundle, tiny_pairs  # noqa: E402


def test_an_address_at_which_nobody_listens_is_one_sentence():
    with pytest.raises(BadInput, match=r"^No Ray cluster answers at 127\.0\.0\.1:1 \(.*\)\.$"):
        Cluster("127.0.0.1:1", 1, 0.0)


@pytest.fixture
def two_machines():
    machines = Machines(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [machines.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=machines.address, log_to_driver=False, logging_level="ERROR")
    yield machines, nodes
    ray.shutdown()
    machines.shutdown()


def test_a_machine_that_is_lost_takes_no_pair_with_it(tmp_path, two_machines):
    machines, nodes = two_machines
    model, scans, out = tiny_bundle(tmp_path / "model"), tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    tiny_pairs(scans, 6)
    told = []

    def lose(progress):
        told.append(progress.done)
        if len(told) == 1:
            machines.remove_node(nodes.pop(), allow_graceful=False)

    settings = SegmentSettings(align="none", device="cpu")
    engine = Cluster("auto", 1, 0.0)
    table = run_batch(scans, out, model, read_card(model), settings, engine, report=lose)
    with (out / "batch.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["pair"] for row in rows) == [str(n) for n in range(6)]
    assert table.failed == []
    assert not [path for path in out.iterdir() if path.name.startswith(".") and path.is_dir()]


@pytest.mark.usefixtures("two_machines")
def test_a_pair_that_no_cluster_can_hold_is_refused(tmp_path):
    model, scans = tiny_bundle(tmp_path / "model"), tmp_path / "scans"
    scans.mkdir()
    tiny_pairs(scans, 1)
    engine, settings = Cluster("auto", 64, 1.0), SegmentSettings(device="cpu")
    with pytest.raises(BadInput, match=r"A pair takes 64 processors and 1 GPUs, but the cluster"):
        run_batch(scans, tmp_path / "out", model, read_card(model), settings, engine)
