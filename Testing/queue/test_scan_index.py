"""The same scans are one pair, whoever adds them, and whatever it is called."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cmcseg.core.volume import Volume
from cmcseg.imaging.scan_checksum import scan_checksum
from cmcseg.queue.checksums import SUMS, sums_of
from cmcseg.queue.cohort import as_cohort
from cmcseg.queue.exchange import export
from cmcseg.queue.holdout import CHECK, LEARN, new_pair
from cmcseg.queue.ledger import Ledger
from queued import GRID, a_draft
from session_parts import CARD


@pytest.fixture
def a_queue(tmp_path):
    return Ledger(tmp_path / "queue")


def scan(array, grid=GRID):
    return Volume(array=np.asarray(array), grid=replace(grid, shape=array.shape))


NUMBERS = np.random.default_rng(0).integers(-1000, 2000, GRID.shape).astype(np.int16)


def test_a_scan_is_known_whatever_its_type_its_order_and_its_place():
    known = scan_checksum(scan(NUMBERS))
    for other in (
        NUMBERS.astype(np.float64),
        np.asfortranarray(NUMBERS),
        NUMBERS[::-1],
        NUMBERS.transpose(2, 0, 1),
    ):
        assert scan_checksum(scan(other)) == known
    moved = replace(GRID, affine=np.diag([-1.0, 1, 1, 1]) @ GRID.affine)
    assert scan_checksum(Volume(array=NUMBERS, grid=moved)) == known


def test_one_voxel_makes_another_scan():
    other = NUMBERS.copy()
    other[3, 2, 1] += 1
    assert scan_checksum(scan(other)) != scan_checksum(scan(NUMBERS))
    zeros = np.zeros((4, 4, 4), np.int16)
    assert scan_checksum(scan(zeros)) != scan_checksum(scan(zeros[:2]))


def test_accepting_a_pair_again_is_a_revision_of_it(a_queue):
    first, second = (a_queue.add(a_draft(3)) for _ in range(2))
    assert (second.pair, second.revision) == (first.pair, 2)


def test_the_scans_decide_whatever_the_pair_is_called(a_queue):
    first = a_queue.add(a_draft(3))
    second = a_queue.add(a_draft(3, pair="knee-7"))
    assert second.id == f"{first.pair}.r2"
    assert a_queue.scans.meant_by("knee-7") == first.pair
    other = a_queue.add(a_draft(4, pair="knee-7"))
    assert other.id == f"{first.pair}.r3", "the name stands for that pair from now on"


def test_a_second_scan_of_a_known_patient_changes_no_sides(a_queue):
    alone = a_queue.add(a_draft(3))
    draft = a_draft(3)
    both = a_queue.add(replace(draft, scans={**draft.scans, "mr": a_draft(4).scans["ct"]}))
    assert both.pair == alone.pair
    assert a_queue.add(a_draft(4)).pair == alone.pair


def test_a_pair_that_was_removed_comes_back_under_its_id(a_queue):
    first = a_queue.add(a_draft(3))
    a_queue.remove(first.id)
    assert a_queue.add(a_draft(3)).id == f"{first.pair}.r2"


def as_before(queue, seed, pair):
    """An entry as the versions before made it: nothing in it or beside it knows its scans."""
    entry = queue.add(a_draft(seed, pair=pair))
    folder = queue.folder / "entries" / entry.id
    value = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
    value["facts"] = {}
    (folder / "entry.json").write_text(json.dumps(value), encoding="utf-8")
    (folder / SUMS).write_text(sums_of(folder), encoding="utf-8")
    for path in (queue.folder / "scans").iterdir():
        path.unlink()
    return entry


@pytest.fixture
def some_twins(a_queue, tmp_path):
    """A scan that versions before accepted twice, once for either part."""
    names = [new_pair(LEARN), new_pair(CHECK)]
    for pair, ledger in zip(names, (a_queue, Ledger(tmp_path / "second")), strict=True):
        as_before(ledger, 3, pair)
    second = f"{names[1]}.r1"
    (tmp_path / "second" / "entries" / second).rename(a_queue.folder / "entries" / second)
    assert [entry.part for entry in a_queue.entries()] == [LEARN, CHECK]
    return names


def test_a_pair_of_a_version_before_is_known_by_its_scans(a_queue):
    first = as_before(a_queue, 3, "old")
    assert a_queue.add(a_draft(3)).id == f"{first.pair}.r2"


def test_twins_of_a_version_before_are_told(a_queue, some_twins):
    as_before(a_queue, 4, "other")
    assert a_queue.twins() == [tuple(sorted(some_twins))]
    assert a_queue.verify() == {}, "nothing is wrong with the files"


def test_no_scan_is_learned_from_and_compared_on(a_queue, some_twins, tmp_path):
    card = replace(CARD, table=a_queue.entries()[0].table)
    cohort = as_cohort(a_queue, card)
    assert [pair.id for pair in cohort.train] == some_twins[:1]
    assert cohort.validation == ()
    content = json.loads((export(a_queue, tmp_path / "out") / "datalist.json").read_text())
    assert [case["id"] for case in content["training"]] == some_twins[:1]
    assert content["validation"] == []
