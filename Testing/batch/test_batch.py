"""A folder of pairs: every pair once, a line each, and nothing half-written whatever happens."""

import csv
import json
import os
import shutil
import time
from collections import namedtuple
from dataclasses import asdict, replace

import pytest
import torch
from cmcseg.batch import run as running
from cmcseg.batch import task as tasks
from cmcseg.batch.cluster import Cluster
from cmcseg.batch.processes import ENDED, Processes
from cmcseg.batch.run import list_pairs, run_batch
from cmcseg.batch.table import BatchTable
from cmcseg.batch.task import Outcome, Task, carry_out, known_outcome
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.verify import read_card
from cmcseg.cli import main
from cmcseg.core.errors import BadInput
from cmcseg.core.settings import SegmentSettings
from filelock import FileLock
from standstill import slowness
from tiny import tiny_bundle, tiny_card, tiny_pairs

SETTINGS = SegmentSettings(align="none", device="cpu")


def here(waiting):
    """An engine in this process."""
    for task in waiting:
        yield carry_out(task)


@pytest.fixture
def a_model(tmp_path):
    torch.set_num_threads(1)
    return tiny_bundle(tmp_path / "model")


@pytest.fixture
def a_folder(tmp_path):
    """Three pairs: one as files, one as a folder with one scan, one whose CT was cut short."""
    scans = tmp_path / "scans"
    scans.mkdir()
    tiny_pairs(scans, 3)
    (scans / "b").mkdir()
    shutil.move(scans / "1_ct.nii.gz", scans / "b" / "ct.nii.gz")
    (scans / "1_mr.nii.gz").unlink()
    whole = (scans / "2_ct.nii.gz").read_bytes()
    (scans / "2_ct.nii.gz").write_bytes(whole[: len(whole) // 2])
    return scans


def batch(folder, model, engine=here, **more):
    out = folder.parent / "out"
    return run_batch(folder, out, model, read_card(model), SETTINGS, engine, **more)


def lines(out):
    with (out / "batch.csv").open(encoding="utf-8", newline="") as file:
        return {row["pair"]: row for row in csv.DictReader(file)}


def asked(folder, model, **more):
    """Which pairs a batch still has to do."""
    seen = []

    def engine(waiting):
        seen.extend(task.pair for task in waiting)
        yield from here(waiting)

    batch(folder, model, engine, **more)
    return seen


def test_every_pair_has_a_line_and_a_bad_scan_is_one_of_them(a_folder, a_model):
    told = []
    table = batch(a_folder, a_model, report=told.append)
    out = a_folder.parent / "out"
    rows = lines(out)
    assert set(rows) == {"0", "2", "b"}
    assert rows["2"]["state"] == "failed"
    assert "damaged or was cut short" in rows["2"]["trouble"]
    assert [o.pair for o in table.failed] == ["2"]
    assert not (out / "2").exists()
    for pair, roles in (("0", {"ct", "mr"}), ("b", {"ct"})):
        assert rows[pair]["state"] == "done"
        summary = json.loads((out / pair / "prediction.json").read_text())
        assert set(summary["scans"]) == roles
        liver = summary["volumes_ml"]["ct"]["liver"]
        assert float(rows[pair]["ct liver ml"]) == pytest.approx(liver, abs=0.005)
    page = (out / "batch.html").read_text()
    assert page.index("cut short") < page.index('href="0/report.html"')
    assert told[-1].done == told[-1].total == 3
    assert "3 of 3 pairs, " in told[-1].stage
    assert not [path for path in out.iterdir() if path.name.startswith(".") and path.is_dir()]


def test_what_is_done_is_not_done_again_while_scans_and_model_are_the_same(a_folder, a_model):
    assert asked(a_folder, a_model) == ["0", "2", "b"]
    assert asked(a_folder, a_model) == ["2"]  # what failed is tried again
    scan = a_folder / "0_ct.nii.gz"
    os.utime(scan, ns=(1, 1))  # copied anew: other times, the same bytes
    assert asked(a_folder, a_model) == ["2"]
    shutil.copy(a_folder / "b" / "ct.nii.gz", scan)
    assert asked(a_folder, a_model) == ["0", "2"]
    tiny_bundle(a_folder.parent / "other", seed=1)
    assert asked(a_folder, a_folder.parent / "other") == ["0", "2", "b"]
    assert set(lines(a_folder.parent / "out")) == {"0", "2", "b"}


def test_after_ctrl_c_what_is_finished_is_whole_and_the_rest_goes_on(a_folder, a_model):
    def interrupted(waiting):
        yield carry_out(waiting[0])
        (waiting[0].out / ".b-abcd" / "new").mkdir(parents=True)  # of a process that was killed
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch(a_folder, a_model, interrupted)
    out = a_folder.parent / "out"
    assert set(lines(out)) == {"0"}
    assert 'href="0/report.html"' in (out / "batch.html").read_text()
    assert not (out / ".b-abcd").exists()
    assert asked(a_folder, a_model) == ["2", "b"]


def test_a_pair_that_is_told_twice_has_one_line(tmp_path):
    table = BatchTable(tmp_path, tiny_card(), [])
    table.add(Outcome(pair="a", doubt=0.2))
    table.add(Outcome(pair="a", doubt=0.3))
    assert lines(tmp_path)["a"]["doubt"] == "0.2000"
    assert len((tmp_path / "batch.csv").read_text().splitlines()) == 2


def test_the_page_shows_the_worst_first_and_escapes_names(tmp_path):
    table = BatchTable(tmp_path, tiny_card(), [])
    for pair, doubt in (("calm", 0.1), ("<b>wild", 0.6), ("some", 0.3)):
        table.add(Outcome(pair=pair, doubt=doubt))
    table.write_page()
    page = (tmp_path / "batch.html").read_text()
    assert "<b>" not in page
    places = [page.index(f">{name}<") for name in ("&lt;b&gt;wild", "some", "calm")]
    assert places == sorted(places)
    assert 'href="%3Cb%3Ewild/report.html"' in page


class TestOneSentence:
    def test_no_pairs(self, tmp_path, a_model):
        (tmp_path / "empty").mkdir()
        with pytest.raises(BadInput, match=r"empty holds no scan called NAME_ct\.nii\.gz"):
            batch(tmp_path / "empty", a_model)
        with pytest.raises(BadInput, match=r"nowhere cannot be read: No such file"):
            batch(tmp_path / "nowhere", a_model)
        assert not (tmp_path / "out").exists()

    def test_two_batches_into_one_folder(self, a_folder, a_model):
        out = a_folder.parent / "out"
        out.mkdir()
        with FileLock(out / running.LOCK), pytest.raises(BadInput, match="Another batch is writ"):
            batch(a_folder, a_model)

    def test_a_folder_that_vanishes(self, a_folder, a_model):
        def engine(waiting):
            shutil.rmtree(a_folder)
            yield from here(waiting)

        with pytest.raises(BadInput, match=r"scans is not there any more; results so far are in"):
            batch(a_folder, a_model, engine)

    def test_a_full_disk(self, a_folder, a_model, monkeypatch):
        full = namedtuple("Usage", "total used free")(10, 10, 0)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
        with pytest.raises(BadInput, match=r"The disk of .*out is full; make room and start"):
            batch(a_folder, a_model)

    def test_an_address_at_which_nobody_listens(self):
        with pytest.raises(BadInput, match=r"^No Ray cluster answers at 127\.0\.0\.1:1 \(.*\)\.$"):
            Cluster("127.0.0.1:1", 1, 0.0)

    def test_without_ray(self, a_folder, a_model, monkeypatch, capsys):
        monkeypatch.setitem(__import__("sys").modules, "ray", None)
        command = ["batch", str(a_folder), "--model", str(a_model), "--out", "o", "--ray", "auto"]
        with pytest.raises(SystemExit) as stop:
            main(command)
        assert stop.value.code == 2
        assert "Ray is not installed; pip install 'cmcseg[ray]'." in capsys.readouterr().err


def test_a_datalist_names_pairs_too(tmp_path):
    cases = tiny_pairs(tmp_path, 2)
    content = {"training": cases[:1], "validation": cases[1:]}
    (tmp_path / "list.json").write_text(json.dumps(content))
    found = list_pairs(tmp_path / "list.json", tiny_card())
    assert {pair: set(scans) for pair, scans in found.items()} == {
        "case0": {"ct", "mr"},
        "case1": {"ct", "mr"},
    }


class Deadly(Task):
    """Ends the process that unpacks it."""

    def __reduce__(self):
        return os._exit, (9,)


def test_a_process_that_ends_takes_no_other_pair_with_it(a_folder, a_model):
    card = load_bundle(a_model).card
    one = Task(
        pair="0",
        scans={"ct": a_folder / "0_ct.nii.gz"},
        out=a_folder.parent,
        model=a_model,
        sha256=card.sha256,
        settings=SETTINGS,
        threads=1,
    )
    deadly = Deadly(**{**one.__dict__, "pair": "deadly"})
    found = {outcome.pair: outcome for outcome in Processes(2)([deadly, one])}
    assert found["deadly"].trouble == ENDED
    assert found["0"].trouble == ""
    assert known_outcome(one) == replace(found["0"])


@pytest.mark.alone
def test_a_thousand_pairs_are_listed_and_resumed_in_two_seconds(tmp_path):
    card, scans, out = tiny_card(), tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    for number in range(1000):
        place, files = out / f"{number:04d}", {}
        place.mkdir(parents=True)
        for role in card.roles:
            scan = scans / f"{number:04d}_{role}.nii.gz"
            scan.write_bytes(b"0")
            files[role] = {"stamp": tasks._stamp(scan), "checksum": ""}
        told = {"pair": place.name, "volumes_ml": {}, "warnings": [], "doubt": 0.1}
        record = {"sha256": "", "settings": asdict(SETTINGS), "scans": files, "outcome": told}
        (place / tasks.RECORD).write_text(json.dumps(record))
    began = time.process_time()
    table = run_batch(scans, out, tmp_path, card, SETTINGS, lambda waiting: (t for t in waiting))
    assert time.process_time() - began < 2 * slowness()
    assert len(table.outcomes) == 1000
    assert len(lines(out)) == 1000
