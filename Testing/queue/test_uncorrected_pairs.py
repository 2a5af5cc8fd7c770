from pathlib import Path

import pytest
from cmcseg.core.errors import BadInput
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.pseudonyms import pair_for
from cmcseg.queue.uncorrected_pairs import keep_doubt, known_doubt, pairs_waiting
from queued import a_draft

ROLES = ("ct", "mr")


@pytest.fixture
def a_queue(tmp_path):
    return Ledger(tmp_path / "queue")


@pytest.fixture
def a_folder(tmp_path):
    def filled(*names):
        for name in names:
            path = tmp_path / "scans" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        return tmp_path / "scans"

    return filled


def waiting(folder, ledger):
    return pairs_waiting(folder, ROLES, ledger, ledger.folder.with_name("key"))


def test_pairs_are_found_as_files_and_as_folders_and_nothing_else_is(a_queue, a_folder):
    folder = a_folder(
        "ann_ct.nii.gz", "ann_mr.nrrd", "bob/ct.nii", "cy/mr/IM0001", "ann_ct_labels.nii.gz",
        "ct.nii.gz", "dan_pet.nii.gz", "notes_ct.txt", ".eve_ct.nii.gz",
    )  # fmt: skip
    found = waiting(folder, a_queue)
    assert found == {
        "ann": {"ct": folder / "ann_ct.nii.gz", "mr": folder / "ann_mr.nrrd"},
        "bob": {"ct": folder / "bob" / "ct.nii"},
        "cy": {"mr": folder / "cy" / "mr"},
    }


def test_a_pair_waits_until_it_is_in_the_queue_and_again_when_it_is_taken_out(a_queue, a_folder):
    folder = a_folder("ann_ct.nii.gz", "bob_ct.nii.gz")
    pair = pair_for("ann", a_queue.folder.with_name("key"))
    assert set(waiting(folder, a_queue)) == {"ann", "bob"}
    entry = a_queue.add(a_draft(pair=pair))
    assert set(waiting(folder, a_queue)) == {"bob"}
    a_queue.remove(entry.id)
    assert set(waiting(folder, a_queue)) == {"ann", "bob"}


def test_two_scans_for_one_role_are_refused(a_queue, a_folder):
    folder = a_folder("ann_ct.nii.gz", "ann/ct.nii.gz")
    with pytest.raises(BadInput, match="holds two scans ct of ann; keep one"):
        waiting(folder, a_queue)


def test_a_folder_that_is_not_there_is_told(a_queue, tmp_path):
    with pytest.raises(BadInput, match="cannot be read: No such file or directory"):
        waiting(tmp_path / "none", a_queue)


def test_a_doubt_is_known_for_the_same_scans_and_model_only(a_queue, a_folder):
    scans = {"ct": a_folder("ann_ct.nii.gz") / "ann_ct.nii.gz"}
    assert known_doubt(a_queue, "a", scans) is None
    keep_doubt(a_queue, "a", scans, 0.25)
    assert known_doubt(a_queue, "a", scans) == 0.25
    assert known_doubt(a_queue, "b", scans) is None
    Path(scans["ct"]).write_bytes(b"another scan")
    assert known_doubt(a_queue, "a", scans) is None
