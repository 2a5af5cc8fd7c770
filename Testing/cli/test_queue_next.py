"""``cmcseg queue next``: what waits, in the order of doubt and chance."""

import json
import shutil

import pytest
import torch
from cmcseg.bundle import store as stores
from cmcseg.bundle.store import Store
from cmcseg.cli import main
from cmcseg.predict import segment as predictor
from cmcseg.queue.rank import Candidate, rank
from tiny import tiny_bundle, tiny_pairs

NAME = "abdomen-ct-mr"


@pytest.fixture
def a_clinic(tmp_path, monkeypatch):
    """A tiny model, and three pairs in a folder: two as files, one as a folder."""
    torch.set_num_threads(1)
    tiny_bundle(tmp_path / "shipped" / NAME)
    store = Store(shipped=tmp_path / "shipped", user=tmp_path / "user")
    monkeypatch.setattr(stores, "default_store", lambda: store)
    scans = tmp_path / "scans"
    scans.mkdir()
    tiny_pairs(scans, 3)
    (scans / "two").mkdir()
    shutil.move(scans / "2_ct.nii.gz", scans / "two" / "ct.nii.gz")
    (scans / "2_mr.nii.gz").unlink()
    (scans / "notes.txt").write_text("nothing")
    return tmp_path


def ask(capsys, a_clinic, *words):
    capsys.readouterr()
    place = ["--queue", str(a_clinic / "q"), "--model", NAME]
    main(["queue", "next", str(a_clinic / "scans"), *place, "--json", *words])
    return json.loads(capsys.readouterr().out)


def test_what_waits_is_ordered_and_what_was_corrected_is_not_named_again(
    capsys, a_clinic, monkeypatch
):
    told = ask(capsys, a_clinic)
    assert told["failed"] == {}
    doubts = {row["pair"]: row["doubt"] for row in told["next"]}
    assert set(doubts) == {"0", "1", "two"}
    candidates = [Candidate(pair=pair, doubt=doubt) for pair, doubt in doubts.items()]
    assert [row["pair"] for row in told["next"]] == [c.pair for c in rank(candidates, 0)]
    assert [row["by"] for row in told["next"]] == ["doubt", "chance", "doubt"]
    assert all(0 <= doubt <= 1 for doubt in doubts.values())

    asked = []
    plain = predictor.segment
    monkeypatch.setattr(
        predictor, "segment", lambda *words, **more: asked.append(1) or plain(*words, **more)
    )
    scans = a_clinic / "scans"
    files = [f"ct={scans / '0_ct.nii.gz'}", f"ct_labels={scans / '0_ct_labels.nii.gz'}"]
    place = ["--queue", str(a_clinic / "q"), "--id", "0", "--model", NAME]
    main(["queue", "add", *place, *files])
    after = ask(capsys, a_clinic)
    assert {row["pair"]: row["doubt"] for row in after["next"]} == {
        pair: doubts[pair] for pair in ("1", "two")
    }
    assert len(asked) == 1, "only the pair whose truth is new is looked back at"
    assert len(ask(capsys, a_clinic, "--count", "1")["next"]) == 1
    assert len(asked) == 1
    for path in (a_clinic / "q" / "doubts").iterdir():
        assert str(scans) not in path.read_text()


@pytest.mark.parametrize("count", ["0", "-1"])
def test_no_places_at_all_are_refused_before_any_work(capsys, a_clinic, monkeypatch, count):
    monkeypatch.setattr(predictor, "segment", None)
    with pytest.raises(SystemExit) as stop:
        ask(capsys, a_clinic, "--count", count)
    assert stop.value.code == 2
    told = capsys.readouterr().err.strip()
    assert told == f"{count} pairs are none to look at; give 1 or more."


def test_what_a_doubt_is_worth_is_told_by_pairs_not_learned_from(capsys, a_clinic, monkeypatch):
    (a_clinic / "scans" / "0_mr.nii.gz").unlink()
    (a_clinic / "scans" / "1_mr.nii.gz").unlink()
    assert ask(capsys, a_clinic)["calibration"] is None
    drawn = a_clinic / "drawn"
    drawn.mkdir()
    for case in tiny_pairs(drawn, 5):
        files = [f"{key}={drawn / case[key]}" for key in ("ct", "ct_labels")]
        place = ["--queue", str(a_clinic / "q"), "--id", f"drawn {case['id']}", "--model", NAME]
        main(["queue", "add", *place, *files])
    told = ask(capsys, a_clinic)
    assert told["calibration"]["cases"] == 5
    assert all(0 <= row["error"] <= 1 for row in told["next"])
    monkeypatch.setattr(predictor, "segment", None)  # the second time nobody is asked
    assert ask(capsys, a_clinic) == told


def test_a_scan_that_cannot_be_read_does_not_stop_the_others(capsys, a_clinic):
    for name in ("0_ct", "0_mr", "1_mr"):
        (a_clinic / "scans" / f"{name}.nii.gz").unlink()
    (a_clinic / "scans" / "1_ct.nii.gz").write_bytes(b"")
    told = ask(capsys, a_clinic)
    assert [row["pair"] for row in told["next"]] == ["two"]
    assert told["failed"]["1"].startswith("1_ct.nii.gz is empty")


@pytest.mark.usefixtures("a_clinic")
def test_a_folder_without_scans_is_refused(capsys, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(SystemExit) as stop:
        main(["queue", "next", str(tmp_path / "none"), "--queue", str(tmp_path), "--model", NAME])
    assert stop.value.code == 2
    assert "holds no scan called NAME_ct.nii.gz or NAME/ct.nii.gz" in capsys.readouterr().err
