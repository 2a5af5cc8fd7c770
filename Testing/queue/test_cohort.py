from dataclasses import replace

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.queue.cohort import as_cohort, gather
from cmcseg.queue.ledger import Ledger
from cmcseg.queue.submission import Submission
from queued import GRID, a_draft

CARD = task_card("abdomen")


@pytest.fixture
def a_queue(tmp_path):
    """Three pairs for the abdomen, one of them corrected twice, and a stranger."""
    ledger = Ledger(tmp_path / "queue")
    for seed, pair in enumerate(["a", "e", "c", "a"]):
        image = a_draft(seed).scans["ct"]
        labels = np.zeros(GRID.shape, np.uint8)
        labels[1:3] = 1 + seed
        corrected = {"ct": LabelMap(array=labels, grid=GRID, table=CARD.table)}
        ledger.add(
            Submission(scans={"ct": image}, corrected=corrected, table=CARD.table, pair=pair)
        )
    other = a_draft(9)
    scans, corrected = {"pet": other.scans["ct"]}, {"pet": other.corrected["ct"]}
    ledger.add(a_draft(9, pair="stranger", scans=scans, corrected=corrected))
    return ledger


def test_the_newest_revision_of_each_fitting_pair_is_learned_from(a_queue):
    cohort = as_cohort(a_queue, CARD)
    train = {pair.id: pair for pair in cohort.train}
    assert set(train) == {"a", "c"}
    assert [pair.id for pair in cohort.validation] == ["e"]
    assert train["a"].scans["ct"].labels.parent.name == "a.r2"


def test_what_a_model_does_not_learn_from_is_named(a_queue):
    path = a_queue.folder / "entries" / "c.r1" / "ct_labels.nii.gz"
    path.write_bytes(path.read_bytes() + b" ")
    table = LabelTable(labels=(Label(value=1, name="heart", color="#aabbcc"),))
    corrected = LabelMap(array=a_draft(5).corrected["ct"].array, grid=GRID, table=table)
    a_queue.add(a_draft(5, pair="g", corrected={"ct": corrected}, table=table))
    lessons = gather(a_queue, CARD)
    assert {pair.id for pair in lessons.cohort.train} == {"a"}
    assert lessons.set_aside == {"c.r1": "ct_labels.nii.gz was changed after it was written."}
    assert lessons.unfit == {
        "stranger.r1": "It has a scan pet, and the model abdomen-ct-mr takes ct, mr.",
        "g.r1": "Its value 1 means heart; to the model abdomen-ct-mr it means liver.",
    }


def test_an_entry_from_before_an_organ_was_added_says_nothing_of_it(a_queue):
    """Its background may be the new organ; entries of the longer table cover all of it."""
    labels = (*CARD.table.labels, Label(value=5, name="gallbladder", color="#123456"))
    card = replace(CARD, table=replace(CARD.table, labels=labels))
    image = a_draft(7).scans["ct"]
    drawn = LabelMap(array=np.full(GRID.shape, 5, np.uint8), grid=GRID, table=card.table)
    a_queue.add(
        Submission(scans={"ct": image}, corrected={"ct": drawn}, table=card.table, pair="g")
    )
    organs = {pair.id: pair.scans["ct"].organs for pair in as_cohort(a_queue, card).train}
    assert organs == {
        "a": ("liver", "right kidney", "left kidney", "spleen"),
        "c": ("liver", "right kidney", "left kidney", "spleen"),
        "g": (),
    }
    assert gather(a_queue, CARD).unfit["g.r1"] == (
        "Its value 5 means gallbladder; to the model abdomen-ct-mr it means nothing, see cmcseg "
        "models extend."
    )
