"""Any layout of labelled scans becomes a task, with own values, regions and an ignore label."""

import json

import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.core.task_file import task_from_dict
from cmcseg.core.volume import Volume
from cmcseg.data.cohort import read_cohort
from cmcseg.data.decide import WINDOW_VOXELS, decide
from cmcseg.data.fingerprint import Fingerprint, OrganFacts, RoleFacts, fingerprint
from cmcseg.data.label_regions import read_label_table
from cmcseg.data.new_task import cohort_content, look_at, own_names, task_name
from cmcseg.imaging.files import read_label_map, write_volume
from cmcseg.imaging.seg_nrrd import write_seg_nrrd
from tiny import tiny_card

GRID = Grid(shape=(20, 18, 10), affine=np.diag([2.0, 2.0, 4.0, 1.0]))


def a_scan(path, values=(), seed=0, low=-1000):
    """A scan, or with values a label map in which each has a box."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    array = rng.integers(low, low + 1200, GRID.shape).astype(np.int16)
    if values:
        array = np.zeros(GRID.shape, np.uint8)
        for place, value in enumerate(values):
            array[2 + 5 * place : 6 + 5 * place, 4:12, 2:8] = value
    write_volume(Volume(array=array, grid=GRID), path)


def an_nnunet_folder(folder, labels, values, cases=3, channels=("CT",), **more):
    place = folder / "Dataset700_Belly"
    for number in range(cases):
        for channel in range(len(channels)):
            name = f"c{number}_{channel:04d}.nii.gz"
            a_scan(place / "imagesTr" / name, seed=10 * number + channel)
        a_scan(place / "labelsTr" / f"c{number}.nii.gz", values)
    content = {"channel_names": {str(n): name for n, name in enumerate(channels)}}
    content |= {"labels": labels, "numTraining": cases, "file_ending": ".nii.gz", **more}
    (place / "dataset.json").write_text(json.dumps(content))
    return place


def as_cohort(data, folder):
    """The data set's own cohort, as prepare would read it."""
    task = decide(fingerprint(data), "mine", data.names, widths=(4, 8))
    content, _ = cohort_content(data, task, 0.3)
    folder.mkdir(exist_ok=True)
    (folder / "cohort.json").write_text(json.dumps(content))
    return read_cohort(folder / "cohort.json", task.card), task


def test_own_label_values_become_organs_by_name(tmp_path):
    labels = {"background": 0, "liver": 6, "spleen": 1}
    data = look_at(an_nnunet_folder(tmp_path, labels, (6, 1)))
    assert (data.name, data.layout, data.roles) == ("Belly", "an nnU-Net data set", ("ct",))
    cohort, task = as_cohort(data, tmp_path)
    assert [label.name for label in task.card.table] == ["spleen", "liver"]
    assert (len(cohort.train), len(cohort.validation)) == (2, 1)
    scan = cohort.train[0].scans["ct"]
    found = read_label_map(scan.labels, cohort.table, cohort.unannotated, cohort.names)
    assert found.array[3, 5, 3] == 2  # 6 in the file, liver
    assert found.array[8, 5, 3] == 1


def test_the_data_sets_parent_folder_does_as_well(tmp_path):
    an_nnunet_folder(tmp_path, {"background": 0, "liver": 6}, (6,))
    assert look_at(tmp_path).roles == ("ct",)


def test_channels_are_roles_that_share_the_labels(tmp_path):
    place = an_nnunet_folder(tmp_path, {"a": 1}, (1,), channels=("T1", "FLAIR"))
    case = look_at(place).cases[0]
    assert case.labels["t1"] == case.labels["flair"]
    assert look_at(place, ("one", "two")).roles == ("one", "two")
    with pytest.raises(BadInput, match="has the roles t1, flair; give 2 names"):
        look_at(place, ("one",))


def test_an_ignore_label_is_what_nobody_looked_at(tmp_path):
    labels = {"background": 0, "liver": 2, "ignore": 3}
    cohort, task = as_cohort(look_at(an_nnunet_folder(tmp_path, labels, (2, 3))), tmp_path)
    assert [label.name for label in task.card.table] == ["liver"]
    scan = cohort.train[0].scans["ct"]
    found = read_label_map(scan.labels, cohort.table, cohort.unannotated, cohort.names)
    assert set(np.unique(found.array)) == {0, 1, 255}


def test_regions_become_organs_that_do_not_overlap():
    table = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3}
    found = read_label_table(table, "dataset.json", [1, 2, 3])
    assert found.names == {1: "whole", 2: "core", 3: "enhancing"}
    assert found.note.startswith("The regions overlap; organs of one model do not, so whole, core")
    merged = read_label_table({"kidneys": [2, 3], "liver": 1}, "x")
    assert merged.names == {1: "liver", 2: "kidneys", 3: "kidneys"}
    assert not merged.note
    with pytest.raises(BadInput, match="the region all is wholly made of other regions"):
        read_label_table({"all": [1, 2], "a": 1, "b": 2}, "x")


def test_a_list_of_decathlon_or_monai_is_read(tmp_path):
    for number in range(3):
        a_scan(tmp_path / f"i{number}.nii.gz", seed=number)
        a_scan(tmp_path / f"l{number}.nii.gz", (7, 3))
    rows = [{"image": f"./i{n}.nii.gz", "label": f"./l{n}.nii.gz", "fold": n} for n in range(3)]
    content = {"modality": {"0": "CT"}, "labels": {"0": "background", "3": "a", "7": "b"}}
    content |= {"training": rows, "test": ["./x.nii.gz"]}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    data = look_at(tmp_path)
    assert (data.roles, data.names) == (("ct",), {3: "a", 7: "b"})
    assert [case.validation for case in data.cases] == [True, False, False]
    assert data.notes == ("1 scan under 'test' left out, to stay unseen.",)
    cohort, _ = as_cohort(data, tmp_path / "out")
    assert [pair.id for pair in cohort.validation] == ["i0"]


def test_prepare_and_import_take_image_label_and_fold_as_they_are(tmp_path):
    a_scan(tmp_path / "i.nii.gz")
    a_scan(tmp_path / "l.nii.gz", (1,))
    row = {"image": "i.nii.gz", "label": "l.nii.gz", "fold": 0}
    (tmp_path / "list.json").write_text(json.dumps({"training": [row]}))
    card = task_from_dict(A_TASK)
    (pair,) = read_cohort(tmp_path / "list.json", card).train
    assert pair.scans["ct"].labels == tmp_path / "l.nii.gz"
    with pytest.raises(BadInput, match="gives 1 file as 'image'; the roles are ct, mr, so give a"):
        read_cohort(tmp_path / "list.json", tiny_card())


def test_files_say_case_and_role_by_their_names(tmp_path):
    for number in (1, 2):
        for role in ("bssfp", "lge"):
            a_scan(tmp_path / "images" / f"{number:02d}_{role}.nii.gz", seed=number)
            a_scan(tmp_path / "labels" / f"{number:02d}_{role}.nii.gz", (1,))
    a_scan(tmp_path / "images" / "03_lge.nii.gz")
    data = look_at(tmp_path)
    assert data.roles == ("bssfp", "lge")
    assert {case.id: sorted(case.images) for case in data.cases} == {
        "01": ["bssfp", "lge"], "02": ["bssfp", "lge"], "03": ["lge"],
    }  # fmt: skip
    assert data.notes[0].startswith("Scans with the same rest of their names are taken for one pat")
    assert len(look_at(tmp_path, unpaired=True).cases) == 5
    one = look_at(tmp_path, ("bssfp",))
    assert (one.roles, len(one.cases)) == (("bssfp",), 2)
    assert one.notes == ("Left out: 3 scans without bssfp in the name.",)


def test_files_beside_their_label_maps_are_one_role(tmp_path):
    for number in (1, 2):
        a_scan(tmp_path / f"patient{number}" / "scan.nii.gz", seed=number)
        a_scan(tmp_path / f"patient{number}" / "scan_labels.nii.gz", (4,))
    data = look_at(tmp_path)
    assert (data.roles, len(data.cases)) == (("scan",), 2)
    assert all(case.labels for case in data.cases)
    task = decide(fingerprint(data), "x", own_names(("4=organ",)))
    assert [label.name for label in task.card.table] == ["organ"]
    assert task.values == (4,)


def test_slicers_segmentations_are_known_by_the_names_of_their_segments(tmp_path):
    names = (("pancreas", "liver"), ("liver", "pancreas"))  # numbers differ from file to file
    for number, organs in enumerate(names):
        a_scan(tmp_path / f"p{number}.nrrd", seed=number)
        table = LabelTable(
            labels=tuple(
                Label(value=v, name=organ, color="#123456") for v, organ in enumerate(organs, 1)
            )
        )
        array = np.zeros(GRID.shape, np.uint8)
        array[2:6, 4:12, 2:8] = organs.index("liver") + 1
        drawn = LabelMap(array=array, grid=GRID, table=table)
        write_seg_nrrd(drawn, tmp_path / f"p{number}.seg.nrrd", "drawn")
    data = look_at(tmp_path)
    assert data.names == {1: "pancreas", 2: "liver"}
    cohort, task = as_cohort(data, tmp_path / "out")
    assert [label.name for label in task.card.table] == ["pancreas", "liver"]
    for pair in (*cohort.train, *cohort.validation):
        found = read_label_map(pair.scans["scan"].labels, cohort.table, names=cohort.names)
        assert found.array[3, 5, 3] == 2
    a_scan(tmp_path / "p3.nrrd")
    a_scan(tmp_path / "p3_labels.nii.gz", (1,))
    with pytest.raises(BadInput, match=r"^p3_labels.nii.gz has numbers where other label maps"):
        look_at(tmp_path)


def test_a_label_map_on_another_grid_is_refused_before_a_task_is_made(tmp_path):
    a_scan(tmp_path / "a.nii.gz")
    grid = Grid(shape=(19, 18, 10), affine=GRID.affine)
    volume = Volume(array=np.ones(grid.shape, np.uint8), grid=grid)
    write_volume(volume, tmp_path / "a_labels.nii.gz")
    with pytest.raises(BadInput, match=r"Case a: The label map a_labels.nii.gz lies on another gr"):
        fingerprint(look_at(tmp_path))


def test_a_name_with_umlauts_is_one_that_a_folder_may_have(tmp_path):
    place = an_nnunet_folder(tmp_path, {"a": 1}, (1,)).rename(tmp_path / "Dataset701_Bäuche neu")
    assert task_name(look_at(place)) == "bauche-neu"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: None, "holds no scan"),
        (lambda f: a_scan(f / "a_labels.nii.gz", (1,)), "has no scan called a"),
        (lambda f: an_nnunet_folder(f, {"liver": "x"}, (1,)), "'labels' must give each value a na"),
    ],
)
def test_what_cannot_be_a_data_set_is_told(tmp_path, make, words):
    make(tmp_path)
    with pytest.raises(BadInput, match=words):
        look_at(tmp_path)


def test_a_data_set_without_any_label_map_is_refused(tmp_path):
    a_scan(tmp_path / "a.nii.gz")
    with pytest.raises(BadInput, match="has no label map; a model needs some labelled scans"):
        fingerprint(look_at(tmp_path))


def a_fingerprint(spacing, extent, *, ct=True):
    return Fingerprint(
        spacing_mm=spacing,
        extent_mm=extent,
        roles={"scan": RoleFacts(scans=4, labelled=3, ct=ct, organ_range=(-63.0, 188.0))},
        organs={v: OrganFacts(scans=4, extent_mm=(60.0, 60.0, 60.0), whole=4) for v in (1, 2)},
    )


def test_thin_slices_give_equal_steps_and_a_window_that_fits_into_memory():
    task = decide(a_fingerprint((0.8, 0.8, 2.0), (400, 400, 500)), "x", {})
    grid, network = task.card.grid, task.card.network
    assert len(set(grid.spacing)) == 1
    assert not grid.follow_scan
    assert np.prod(grid.window) <= WINDOW_VOXELS
    assert network.patch == (2, 2, 2)
    assert task.card.inputs[0].window == (-65.0, 190.0)
    assert "coarser, so that a scan has at most" in task.reasons["grid.spacing"]


def test_thick_slices_stay_slices():
    task = decide(a_fingerprint((1.4, 1.4, 10.0), (360, 360, 120), ct=False), "x", {})
    assert task.card.grid.spacing == (1.4, 1.4, 10.0)
    assert task.card.grid.follow_scan
    assert task.card.network.patch == (2, 2, 1)
    assert task.card.network.strides[0] == (2, 2, 1)
    assert task.card.inputs[0].intensity == "standardise"


def test_right_and_left_mirror_each_other():
    names = {1: "right kidney", 2: "left kidney"}
    task = decide(a_fingerprint((3.0, 3.0, 3.0), (200, 200, 200)), "x", names)
    assert task.card.table.mirrored == ((1, 2),)
    assert set(task.reasons) >= {"table", "table.mirrored", "grid.spacing", "grid.window"}


A_TASK = {
    "name": "mine",
    "inputs": [{"role": "ct", "window": [-100, 200]}],
    "table": {"labels": [{"value": 1, "name": "liver"}]},
    "grid": {"spacing": [6, 6, 6], "window": [16, 16, 16]},
}


def test_a_task_may_leave_out_what_is_plain():
    card = task_from_dict(A_TASK)
    assert (card.title, card.inputs[0].intensity, card.inputs[0].modality) == (
        "mine",
        "window",
        "CT",
    )
    assert task_from_dict(json.loads(json.dumps(card.to_dict()))) == card


def test_every_wrong_key_of_a_task_is_told_at_once():
    wrong = {**A_TASK, "colour": 1, "grid": {"spacings": [6, 6, 6], "window": [16, 16, 16]}}
    wrong["inputs"] = [{"rolle": "ct"}]
    with pytest.raises(BadInput) as told:
        task_from_dict(wrong)
    words = str(told.value)
    for part in (
        "the key colour is unknown",
        "the key grid.spacings is unknown",
        "the key grid.spacing is missing",
        "the key inputs[0].rolle is unknown",
        "the key inputs[0].role is missing",
    ):
        assert part in words
