"""The queue's folder: whole entries or none, for several programs at once."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.queue import publish as module
from cmcseg.queue.checksums import sums_of
from cmcseg.queue.holdout import CHECK, new_pair, part_of
from cmcseg.queue.ledger import Ledger
from queued import GRID, TABLE, a_draft
from standstill import slowness


@pytest.fixture
def a_queue(tmp_path):
    return Ledger(tmp_path / "queue")


def entry_folder(ledger, entry):
    return ledger.folder / "entries" / entry.id


def everything(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


# What goes in comes out


def test_an_entry_comes_back_voxel_by_voxel(a_queue):
    draft = a_draft(found={"ct": a_draft(1).corrected["ct"]}, who="me", notes="upper pole")
    entry = a_queue.entry(a_queue.add(draft).id)
    assert (entry.who, entry.notes, entry.revision) == ("me", "upper pole", 1)
    scan = entry.scans["ct"]
    image = read_volume(a_queue.path(entry, scan.image))
    assert np.array_equal(image.array, draft.scans["ct"].array)
    for name, wanted in ((scan.labels, draft.corrected), (scan.found, draft.found)):
        labels = read_label_map(a_queue.path(entry, name), TABLE)
        assert np.array_equal(labels.array, wanted["ct"].array)


def test_marks_are_kept_as_marks(a_queue):
    array = np.full(GRID.shape, 255, dtype=np.uint8)
    array[2, 2, 2] = 1
    marks = LabelMap(array=array, grid=GRID, table=TABLE)
    scan = a_queue.add(a_draft(corrected={"ct": marks})).scans["ct"]
    assert scan.labels is None
    assert scan.scribbles == "ct_scribbles.nii.gz"


def test_submitting_a_pair_again_makes_a_revision_and_keeps_the_first(a_queue):
    first, second = (a_queue.add(a_draft(seed, pair="knee-7")) for seed in (1, 2))
    assert (first.id, second.id) == ("knee-7.r1", "knee-7.r2")
    assert [entry.id for entry in a_queue.entries()] == ["knee-7.r1", "knee-7.r2"]
    assert [entry.id for entry in a_queue.latest()] == ["knee-7.r2"]


def test_every_pair_that_is_corrected_here_is_learned_from(a_queue):
    assert {a_queue.add(a_draft(k)).part for k in range(12)} == {"learn"}


def left_by_remove(queue, entry):
    queue.remove(entry.id)


def left_by_verify(queue, entry):
    tampered(queue, entry, "ct.nii.gz")
    queue.verify()


def unreadable(queue, entry):
    (entry_folder(queue, entry) / "entry.json").write_text("{")


@pytest.mark.parametrize("harm", [left_by_remove, left_by_verify, unreadable])
def test_whatever_becomes_of_an_entry_its_pair_keeps_its_part_and_its_number(a_queue, harm):
    first = [a_queue.add(a_draft(k, pair=new_pair(("learn", "check")[k % 2]))) for k in range(4)]
    for entry in first:
        harm(a_queue, entry)
    again = [a_queue.add(a_draft(k, pair=entry.pair)) for k, entry in enumerate(first)]
    assert [entry.part for entry in again] == ["learn", "check", "learn", "check"]
    assert [entry.revision for entry in again] == [2, 2, 2, 2]


def test_an_entry_cannot_say_that_it_is_to_be_learned_from(a_queue):
    kept_back = a_queue.add(a_draft(1, pair=new_pair(CHECK)))
    path = entry_folder(a_queue, kept_back) / "entry.json"
    path.write_text(path.read_text().replace('"check"', '"learn"'))
    assert a_queue.entry(kept_back.id).part == "check"


def test_what_is_removed_can_be_restored_and_its_number_is_not_given_again(a_queue):
    first = a_queue.add(a_draft(pair="a"))
    a_queue.remove(first.id)
    assert a_queue.entries() == []
    assert a_queue.add(a_draft(pair="a")).id == "a.r2"
    assert a_queue.restore("a.r1") == first
    assert [entry.id for entry in a_queue.entries()] == ["a.r1", "a.r2"]


def test_a_scan_that_is_only_referred_to_stays_where_it_is(a_queue, tmp_path):
    path = tmp_path / "own.nii.gz"
    path.write_bytes(b"the scan")
    entry = a_queue.add(a_draft(references={"ct": path}))
    assert a_queue.path(entry, entry.scans["ct"].image) == path
    assert not (entry_folder(a_queue, entry) / "ct.nii.gz").exists()
    assert a_queue.verify() == {}
    path.write_bytes(b"another scan")
    assert a_queue.verify() == {
        entry.id: f"The ct scan it refers to is gone or was changed: {path}."
    }


# What is refused


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "", "A", "a.b", "x" * 300, "nul\0", "ü", ".hidden", "-dash"]
)
def test_a_pair_cannot_be_called_what_leads_elsewhere(a_queue, name):
    if name == "":
        assert a_queue.add(a_draft(pair=name)).pair.startswith("p")  # the queue chooses
        return
    with pytest.raises(BadInput, match="must be 1 to 64 characters of a to z"):
        a_queue.add(a_draft(pair=name))
    assert not (a_queue.folder / "entries").exists()


@pytest.mark.parametrize("name", ["../x.r1", "a", "a.r0", "a.r1/..", "x" * 300, "a.r1.r2"])
def test_an_entry_cannot_be_asked_for_by_what_is_no_id(a_queue, name):
    for ask in (a_queue.entry, a_queue.remove, a_queue.restore):
        with pytest.raises(BadInput, match=r"is not an entry's id, as in 'p4f01c2\.r1'"):
            ask(name)


def test_labels_on_another_grid_are_refused():
    other = Grid(shape=GRID.shape, affine=np.diag([2.0, 2.0, 4.0, 1.0]))
    labels = LabelMap(array=np.ones(GRID.shape, np.uint8), grid=other, table=TABLE)
    with pytest.raises(ValueError, match="The corrected label map of the ct lies on another grid"):
        a_draft(corrected={"ct": labels})


# What went wrong meanwhile


def tampered(ledger, entry, name):
    path = entry_folder(ledger, entry) / name
    path.write_bytes(path.read_bytes() + b" ")


@pytest.mark.parametrize("name", ["ct.nii.gz", "ct_labels.nii.gz", "entry.json"])
def test_a_changed_file_sets_its_entry_aside_and_says_why(a_queue, name):
    whole, hurt = a_queue.add(a_draft(1)), a_queue.add(a_draft(2))
    tampered(a_queue, hurt, name)
    assert a_queue.verify() == {hurt.id: f"{name} was changed after it was written."}
    assert [entry.id for entry in a_queue.entries()] == [whole.id]
    aside = [path for path in (a_queue.folder / "damaged").iterdir() if path.is_dir()]
    assert (aside[0] / name).exists()
    told = aside[0].with_name(aside[0].name + ".txt").read_text()
    assert told == f"{name} was changed after it was written.\n"
    assert a_queue.verify() == {}


def test_what_was_set_aside_comes_back_once_it_is_mended(a_queue, tmp_path):
    path = tmp_path / "share" / "own.nii.gz"
    path.parent.mkdir()
    path.write_bytes(b"the scan")
    entry = a_queue.add(a_draft(references={"ct": path}))
    path.parent.rename(tmp_path / "unplugged")
    assert list(a_queue.verify()) == [entry.id]
    with pytest.raises(BadInput, match=r"is still damaged\. The ct scan it refers to is gone"):
        a_queue.restore(entry.id)
    (tmp_path / "unplugged").rename(path.parent)
    assert a_queue.restore(entry.id) == entry
    assert a_queue.verify() == {}


def test_an_entry_nested_without_end_does_not_stop_the_others(a_queue):
    whole, hurt = a_queue.add(a_draft(1)), a_queue.add(a_draft(2))
    (entry_folder(a_queue, hurt) / "entry.json").write_text("[" * 100_000)
    assert [entry.id for entry in a_queue.entries()] == [whole.id]
    assert a_queue.verify() == {hurt.id: "It cannot be read: entry.json is nested too deeply."}


def crafted(ledger, entry, change):
    """An edit of ``entry.json`` by somebody who also brings the sums in order."""
    folder = entry_folder(ledger, entry)
    value = json.loads((folder / "entry.json").read_text())
    change(value)
    (folder / "entry.json").write_text(json.dumps(value))
    (folder / "SHA256SUMS").write_text(sums_of(folder))


@pytest.mark.parametrize("kind", ["image", "labels", "scribbles", "found"])
@pytest.mark.parametrize(
    "name",
    ["../secret.nii.gz", "/etc/passwd", "a/b.nii.gz", "..", "", "a\\b.nii.gz", "C:x.nii.gz", 7],
)
def test_a_file_outside_the_entry_is_refused_whatever_the_sums_say(a_queue, kind, name):
    entry = a_queue.add(a_draft(pair="a"))
    crafted(a_queue, entry, lambda value: value["scans"]["ct"].update({kind: name}))
    assert a_queue.entries() == []
    with pytest.raises(BadInput, match="is not the name of a file of an entry"):
        a_queue.entry(entry.id)
    assert "is not the name of a file of an entry" in a_queue.verify()["a.r1"]


def test_a_role_that_leads_elsewhere_is_refused(a_queue):
    entry = a_queue.add(a_draft(pair="a"))
    crafted(a_queue, entry, lambda value: value.update(scans={"../x": value["scans"]["ct"]}))
    assert a_queue.verify() == {"a.r1": "It cannot be read: '../x' cannot be the role of a scan."}


def test_a_file_that_an_entry_names_must_lie_in_it(a_queue):
    entry = a_queue.add(a_draft(pair="a"))
    crafted(a_queue, entry, lambda value: value["scans"]["ct"].update(labels="mr_labels.nii.gz"))
    assert a_queue.verify() == {"a.r1": "It names files that it does not hold (mr_labels.nii.gz)."}


def test_an_entry_that_was_edited_to_claim_another_name_is_set_aside(a_queue):
    entry = a_queue.add(a_draft(pair="a"))
    entry_folder(a_queue, entry).rename(a_queue.folder / "entries" / "b.r1")
    assert "b.r1" in a_queue.verify()


def test_links_and_strange_names_are_set_aside_unread(a_queue):
    entry = a_queue.add(a_draft(pair="a"))
    entries = a_queue.folder / "entries"
    (entries / "link.r1").symlink_to(entries / entry.id)
    (entries / ("x" * 200)).mkdir()
    (entry_folder(a_queue, entry) / "more").symlink_to("/etc/passwd")
    found = a_queue.verify()
    assert (
        found["link.r1"]
        == found["a.r1"]
        == "It is or holds a link or a folder, which could lead anywhere."
    )
    assert found["x" * 200] == "Its name is not that of an entry."
    assert Path("/etc/passwd").exists()
    assert a_queue.entries() == []


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("place", ["write_volume", "write_label_map", "sums_of"])
@pytest.mark.parametrize("how", [full, "by the writer of images"])
def test_a_full_disk_is_told_and_leaves_no_crumb(a_queue, monkeypatch, place, how):
    a_queue.add(a_draft(1))
    before = everything(a_queue.folder)

    def told(*_):
        try:
            full()
        except OSError as error:
            raise BadInput("x.nii.gz cannot be written.") from error

    monkeypatch.setattr(module, place, how if how is full else told)
    with pytest.raises(BadInput, match=r"cannot be written: the disk is full\. Nothing was lost"):
        a_queue.add(a_draft(2))
    assert everything(a_queue.folder) == before


def test_an_abandoned_draft_is_set_aside_after_an_hour(a_queue):
    a_queue.add(a_draft())
    draft = a_queue.folder / "tmp" / "p1-abc"
    draft.mkdir()
    assert a_queue.verify() == {}
    os.utime(draft, (time.time() - 4000,) * 2)
    assert list(a_queue.verify()) == ["p1-abc"]


# Several programs at once

ADD = """
import sys
sys.path.insert(0, sys.argv[1])
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.holdout import CHECK, new_pair, part_of
from cmcseg.queue.checksums import sums_of
from queued import a_draft
from standstill import slowness
ledger = Ledger(sys.argv[2])
print("ready", flush=True)
for k in range(int(sys.argv[3])):
    print(ledger.add(a_draft(k, pair=sys.argv[4])).id, flush=True)
"""
COME_AND_GO = """
import sys
sys.path.insert(0, sys.argv[1])
from cmcseg.queue.ledger import Ledger
from queued import a_draft
ledger = Ledger(sys.argv[2])
for k in range(int(sys.argv[3])):
    entry = ledger.add(a_draft(k, pair=sys.argv[4]))
    print(entry.id)
    if k % 2:
        ledger.remove(entry.id)
print("done")
"""


def words(program, folder, count, pair):
    here = str(Path(__file__).parents[1] / "helpers")
    return [sys.executable, "-c", program, here, str(folder), str(count), pair]


def adding(folder, count, pair):
    return subprocess.Popen(words(ADD, folder, count, pair), stdout=subprocess.PIPE, text=True)


def test_two_programs_adding_revisions_of_one_pair_lose_none(a_queue):
    programs = [adding(a_queue.folder, 40, "both") for _ in range(2)]
    ids = [line for p in programs for line in p.communicate(timeout=60)[0].split()[1:]]
    assert len(set(ids)) == 80
    assert {entry.id for entry in a_queue.entries()} == set(ids)
    assert a_queue.verify() == {}


def test_two_programs_adding_new_pairs_lose_none(a_queue):
    programs = [adding(a_queue.folder, 20, "") for _ in range(2)]
    ids = [line for p in programs for line in p.communicate(timeout=60)[0].split()[1:]]
    assert len(set(ids)) == len(a_queue.entries()) == 40
    assert all(part_of(entry.pair) == "learn" for entry in a_queue.entries())


def test_no_id_is_given_twice_however_fast_entries_come_and_go(a_queue):
    programs = [
        subprocess.Popen(
            words(COME_AND_GO, a_queue.folder, 40, "both"), stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    ids = [line for p in programs for line in p.communicate(timeout=60)[0].split()[:-1]]
    assert len(ids) == len(set(ids)) == 80
    removed = a_queue.folder / "removed"
    for path in removed.iterdir():
        shutil.rmtree(path)  # by hand, for room
    assert a_queue.add(a_draft(pair="both")).id == "both.r81"


def test_verify_beside_a_program_that_adds_and_removes_finds_nothing_at_fault(a_queue):
    program = subprocess.Popen(words(COME_AND_GO, a_queue.folder, 100, ""), stdout=subprocess.PIPE)
    rounds = 0
    while program.poll() is None:
        assert a_queue.verify() == {}
        rounds += 1
    assert program.communicate()[0].split()[-1] == b"done"
    assert rounds > 5
    assert not (a_queue.folder / "damaged").exists() or everything(a_queue.folder / "damaged") == []


@pytest.mark.parametrize("what", ["draft", "entry"])
def test_what_is_moved_between_the_list_and_the_look_is_no_fault(a_queue, monkeypatch, what):
    a_queue.add(a_draft())
    listed = Ledger._listed

    def and_gone(ledger, place):
        found = listed(ledger, place)
        if what == "draft" and place == "tmp":
            return [*found, ledger.folder / "tmp" / "p1-gone"]
        if what == "entry" and place == "entries":
            return [*found, ledger.folder / "entries" / "gone.r1"]
        return found

    monkeypatch.setattr(Ledger, "_listed", and_gone)
    assert a_queue.verify() == {}
    assert everything(a_queue.folder / "damaged") == []


@pytest.mark.parametrize("seed", range(4))
def test_killing_a_program_that_adds_leaves_every_finished_entry_whole(a_queue, seed):
    program = adding(a_queue.folder, 10_000, "p")
    assert program.stdout.readline() == "ready\n"
    time.sleep(np.random.default_rng(seed).uniform(0.02, 0.3))
    program.send_signal(signal.SIGKILL)
    told = program.communicate()[0].split()
    assert set(told) <= {entry.id for entry in a_queue.entries()}
    assert a_queue.verify() == {}
    assert len(a_queue.entries()) - len(told) in (0, 1)  # renamed, but not yet told


def test_a_thousand_entries_are_listed_in_a_second(a_queue):
    entry = a_queue.add(a_draft())
    source = json.loads((entry_folder(a_queue, entry) / "entry.json").read_text())
    for k in range(1000):
        folder = a_queue.folder / "entries" / f"m{k}.r1"
        folder.mkdir()
        (folder / "entry.json").write_text(
            json.dumps({**source, "pair": f"m{k}", "id": folder.name})
        )
    started = time.process_time()
    assert len(a_queue.entries()) == 1001
    assert time.process_time() - started < 1.0 * slowness()


def test_what_a_hand_drew_comes_along_and_other_entries_look_as_they_did(a_queue):
    drawn = np.full(GRID.shape, 255, dtype=np.uint8)
    drawn[2, 2] = 1
    strokes = ({"role": "ct", "organ": "liver", "is_organ": True, "seconds": 1.5},)
    labels = LabelMap(array=drawn, grid=GRID, table=TABLE)
    entry = a_queue.add(a_draft(drawn={"ct": labels}, strokes=strokes))
    again = a_queue.entry(entry.id)
    assert again.strokes == strokes
    file = a_queue.path(again, again.scans["ct"].strokes)
    assert np.array_equal(read_label_map(file, TABLE).array, drawn)
    assert not a_queue.verify()
    plain = a_queue.add(a_draft(seed=1))
    text = (a_queue.folder / "entries" / plain.id / "entry.json").read_text(encoding="utf-8")
    assert "strokes" not in text
