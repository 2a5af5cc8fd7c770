"""What leaves the queue and comes back is the same, and what was kept back stays so."""

import errno
import json
from dataclasses import replace

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.core.task_file import task_from_dict
from cmcseg.data.cohort import read_cohort
from cmcseg.data.dataset_cohort import dataset_cohort
from cmcseg.imaging.files import read_label_map
from cmcseg.queue import ledger as ledgers
from cmcseg.queue.exchange import FORMATS, export, pair_for_import
from cmcseg.queue.holdout import PARTS, new_pair, part_of
from cmcseg.queue.ledger import Ledger
from queued import GRID, a_draft

CARD = task_card("abdomen")


def organs(seed, fill=0):
    array = np.full(GRID.shape, fill, np.uint8)
    array[1:3] = 1 + seed
    return LabelMap(array=array, grid=GRID, table=CARD.table)


@pytest.fixture
def a_queue(tmp_path):
    """Two pairs to learn from and two that are kept back, one of each in marks or in part."""
    ledger = Ledger(tmp_path / "queue")
    for seed in range(4):
        corrected = {"ct": organs(seed, 255 if seed == 2 else 0)}
        some = {"organs": {"ct": ("spleen",)}} if seed == 3 else {}
        pair = new_pair(PARTS[seed % 2])  # kept back by an earlier program
        ledger.add(a_draft(seed, corrected=corrected, table=CARD.table, pair=pair, **some))
    return ledger


def pairs(ledger, part):
    return {entry.pair for entry in ledger.latest() if entry.part == part}


def read(folder, form):
    if form == "nnunet":
        return dataset_cohort(folder, CARD)
    return read_cohort(folder / "datalist.json", CARD)


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_exported_is_a_cohort_of_the_same_parts(a_queue, tmp_path, form):
    cohort = read(export(a_queue, tmp_path / "out", form), form)
    assert {pair.id for pair in cohort.train} == pairs(a_queue, "learn")
    assert {pair.id for pair in cohort.validation} == pairs(a_queue, "check")
    assert len(cohort.train) == len(cohort.validation) == 2


def test_nnunet_finds_nothing_to_train_on_but_what_may_be_learned_from(a_queue, tmp_path):
    place = export(a_queue, tmp_path / "out", "nnunet") / "Dataset501_ct"
    content = json.loads((place / "dataset.json").read_text())
    for kind, part in (("Tr", "learn"), ("Ts", "check")):
        wanted = pairs(a_queue, part)
        assert {p.name for p in (place / f"images{kind}").iterdir()} == {
            f"{pair}_0000.nii.gz" for pair in wanted
        }
        assert {p.name for p in (place / f"labels{kind}").iterdir()} == {
            f"{pair}.nii.gz" for pair in wanted
        }
    assert content["numTraining"] == 2
    assert content["labels"] == {
        "background": 0,
        **{i.name: i.value for i in CARD.table},
        "ignore": 5,
    }


def test_where_nobody_looked_nnunet_is_told_to_ignore_it(a_queue, tmp_path):
    folder = export(a_queue, tmp_path / "out", "nnunet") / "Dataset501_ct"
    for number, entry in enumerate(a_queue.latest()):
        kind = "Tr" if entry.part == "learn" else "Ts"
        drawn = read_label_map(folder / f"labels{kind}" / f"{entry.pair}.nii.gz", CARD.table, 5)
        around = 255 if number in (2, 3) else 0
        assert np.array_equal(drawn.array, organs(number, around).array)


def test_an_id_that_a_queue_has_drawn_stays_and_no_other_does(a_queue):
    own = new_pair("check")
    assert pair_for_import(a_queue, own, "check") == own
    assert pair_for_import(a_queue, own, None) == own
    for name, part in (("jane-doe", "check"), ("case0", "learn"), (own, "learn")):
        given = pair_for_import(a_queue, name, part)
        assert given != name
        assert part_of(given) == part


def test_a_dataset_is_called_as_anybody_calls_it_and_may_be_given_itself(a_queue, tmp_path):
    folder = export(a_queue, tmp_path / "out", "nnunet")
    (folder / "Dataset501_ct").rename(folder / "Dataset700_Belly")
    for place in (folder, folder / "Dataset700_Belly"):
        assert len(dataset_cohort(place, CARD).train) == 2
    one = replace(CARD, inputs=(replace(CARD.inputs[1], role="scan"),))
    assert set(dataset_cohort(folder, one).train[0].scans) == {"scan"}


def test_an_exported_list_is_one_for_monai_too_and_names_its_task(a_queue, tmp_path):
    from monai.data import load_decathlon_datalist

    folder = export(a_queue, tmp_path / "out", "datalist", CARD)
    assert json.loads((folder / "datalist.json").read_text())["task"] == "task.json"
    assert (folder / "task.json").is_file()
    rows = load_decathlon_datalist(folder / "datalist.json", data_list_key="training")
    paths = [tmp_path / row[key] for row in rows for key in ("image", "label") if key in row]
    assert len(paths) >= 3
    assert all(path.is_file() for path in paths)
    task, cohort = folder / "task.json", folder / "datalist.json"
    assert [
        pair.id for pair in read_cohort(cohort, task_from_dict(json.loads(task.read_text()))).train
    ]


# What is refused, and leaves nothing


def test_an_existing_folder_is_not_written_into(a_queue, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(BadInput, match="exists; give a new one"):
        export(a_queue, tmp_path / "out")


def test_an_empty_queue_has_nothing_to_export(tmp_path):
    with pytest.raises(BadInput, match="is empty; there is nothing to export"):
        export(Ledger(tmp_path / "none"), tmp_path / "out")


@pytest.mark.parametrize("form", FORMATS)
def test_two_label_tables_do_not_mix(a_queue, tmp_path, form):
    table = LabelTable(labels=(Label(value=1, name="heart", color="#aabbcc"),))
    drawn = LabelMap(array=a_draft(5).corrected["ct"].array, grid=GRID, table=table)
    a_queue.add(a_draft(5, corrected={"ct": drawn}, table=table))
    with pytest.raises(BadInput, match="have different label tables"):
        export(a_queue, tmp_path / "out", form)


@pytest.mark.parametrize("form", FORMATS)
def test_entries_from_before_an_organ_was_added_are_exported_as_covering_the_others(
    a_queue, tmp_path, form
):
    new = Label(value=5, name="gallbladder", color="#123456")
    table = replace(CARD.table, labels=(*CARD.table.labels, new))
    drawn = LabelMap(array=np.full(GRID.shape, 5, np.uint8), grid=GRID, table=table)
    a_queue.add(a_draft(9, corrected={"ct": drawn}, table=table))
    export(a_queue, tmp_path / "out", form)
    card = replace(CARD, table=table)
    if form == "nnunet":
        cohort = dataset_cohort(tmp_path / "out", card)
        told = json.loads((tmp_path / "out" / "Dataset501_ct" / "dataset.json").read_text())
        assert told["labels"] == {
            "background": 0, "liver": 1, "right kidney": 2, "left kidney": 3, "spleen": 4,
            "gallbladder": 5, "ignore": 6,
        }  # fmt: skip
        # nnU-Net knows no partial maps: background that may be a gallbladder is ignored.
        values = {
            value
            for pair in (*cohort.train, *cohort.validation)
            for value in np.unique(
                read_label_map(pair.scans["ct"].labels, table, cohort.unannotated).array
            )
        }
        assert values == {1, 2, 3, 4, 5, 255}
    else:
        cohort = read_cohort(tmp_path / "out" / "datalist.json", card)
        organs = [p.scans["ct"].organs for p in (*cohort.train, *cohort.validation)]
        assert sorted(map(len, organs)) == [0, 1, 4, 4, 4]


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_that_fails_on_the_way_leaves_nothing(a_queue, tmp_path, form):
    path = tmp_path / "own.nii.gz"
    path.write_bytes(b"the scan")
    drawn = {"ct": organs(0)}
    a_queue.add(a_draft(9, corrected=drawn, table=CARD.table, references={"ct": path}))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BadInput, match="only refers to"):
        export(a_queue, tmp_path / "out", form)
    assert sorted(tmp_path.iterdir()) == before


def test_a_disk_that_fills_up_during_an_export_is_told(a_queue, tmp_path, monkeypatch):
    def full(source, target):  # noqa: ARG001
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ledgers.shutil, "copyfile", full)
    with pytest.raises(BadInput, match="cannot be written: the disk is full"):
        export(a_queue, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["queue"]


def test_a_dataset_of_other_organs_is_refused(a_queue, tmp_path):
    folder = export(a_queue, tmp_path / "out", "nnunet")
    path = folder / "Dataset501_ct" / "dataset.json"
    path.write_text(path.read_text().replace("liver", "heart"))
    with pytest.raises(BadInput, match="In ct the value 1 means heart; the model abdomen-ct-mr k"):
        dataset_cohort(folder, CARD)


def test_a_dataset_of_another_role_is_refused(a_queue, tmp_path):
    folder = export(a_queue, tmp_path / "out", "nnunet")
    path = folder / "Dataset501_ct" / "dataset.json"
    path.write_text(path.read_text().replace('"CT"', '"PET"'))
    with pytest.raises(BadInput, match="ct has the roles pet; those of the model abdomen"):
        dataset_cohort(folder, CARD)
