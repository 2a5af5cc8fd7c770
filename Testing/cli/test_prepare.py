"""From a datalist to a cache: what is in it, and what is refused in which words."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.cli import main
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.volume import Volume
from cmcseg.data.cache import open_cache
from cmcseg.imaging.files import write_label_map, write_volume
from own_folders import an_nnunet_folder
from tiny import tiny_card

GRID = Grid(shape=(30, 28, 12), affine=np.diag([4.0, 4.0, 6.0, 1.0]))
TABLE = task_card("abdomen").table


def a_scan(path, low, seed=0):
    array = np.random.default_rng(seed).integers(low, 300, GRID.shape).astype(np.int16)
    write_volume(Volume(array=array, grid=GRID), path)


def a_map(path, grid=GRID, background=0):
    array = np.full(grid.shape, background, np.uint8)
    array[5:20, 5:20, 3:9] = 1
    array[20, 5:20, 3:9:2] = 1  # no slice repeats the one beside it
    write_label_map(LabelMap(array=array, grid=grid, table=TABLE), path)


@pytest.fixture
def a_folder(tmp_path):
    """A CT with labels, an MR with scribbles on it."""
    a_scan(tmp_path / "ct.nii.gz", -1000)
    a_scan(tmp_path / "other_ct.nii.gz", -1000, seed=1)
    a_scan(tmp_path / "mr.nii.gz", 0)
    a_scan(tmp_path / "other_mr.nii.gz", 0, seed=1)
    a_map(tmp_path / "ct_labels.nii.gz")
    a_map(tmp_path / "mr_marks.nii.gz", background=255)
    return tmp_path


CASE = {"id": "a", "ct": "ct.nii.gz", "ct_labels": "ct_labels.nii.gz", "ct_organs": ["liver"]}
MARKED = {"id": "b", "mr": "mr.nii.gz", "mr_scribbles": "mr_marks.nii.gz"}
BARE = {"id": "c", "ct": "other_ct.nii.gz", "mr": "other_mr.nii.gz"}


def prepared(folder, content):
    path = folder / "cohort.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    main(["prepare", str(path), "--out", str(folder / "cache")])
    return open_cache(folder / "cache")


def test_a_cohort_becomes_a_cache_that_says_what_was_annotated(a_folder):
    content = {"task": "abdomen", "training": [CASE, MARKED], "validation": [BARE]}
    cache = prepared(a_folder, content)
    (ct,), (mr,) = cache.of("train", "ct"), cache.of("train", "mr")
    assert ct.dense
    assert ct.known == (True, True, False, False, False)
    assert not mr.dense
    assert all(mr.known)
    assert [scan.labels for scan in cache.of("validation", "ct")] == [None]
    assert np.load(ct.image).shape == ct.grid.shape
    assert np.load(ct.image).dtype == np.float16
    # Scribbles leave unmarked voxels out; a dense map leaves out only what lies beyond the scan.
    assert set(np.unique(np.load(mr.labels))) == {1, 255}
    assert set(np.unique(np.load(ct.labels))) == {0, 1}
    volume = (np.load(ct.labels) == 1).sum() * ct.grid.voxel_ml
    assert volume == pytest.approx(15 * 15 * 6 * GRID.voxel_ml, rel=0.1)


def test_scans_of_one_case_share_a_grid(a_folder):
    cache = prepared(a_folder, {"task": "abdomen", "training": [BARE]})
    ct, mr = cache.scans
    assert ct.grid.agrees_with(mr.grid)


def test_the_task_may_be_the_file_of_a_card(a_folder):
    (a_folder / "mine.json").write_text(json.dumps(tiny_card().to_dict()))
    cache = prepared(a_folder, {"task": "mine.json", "training": [CASE]})
    assert cache.card.network.widths == (4, 8)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "must be a JSON object with a list 'training'."),
        ({"task": "abdomen"}, "lists no case under 'training' or 'validation'."),
        ({"training": [CASE]}, 'does not name its task; add "task": one of abdomen, heart'),
        ({"task": "lung", "training": [CASE]}, "There is no task 'lung'."),
        ({"task": "no.json", "training": [CASE]}, "no.json cannot be read: No such file"),
        ({"task": "cohort.json", "training": [CASE]}, "it is a list of cases; give the file of"),
        ({"task": "abdomen", "training": "a"}, "'training' must be a list of objects"),
        ({"task": "abdomen", "training": [CASE, CASE]}, "lists a twice."),
        ({"task": "abdomen", "training": [{"id": "a"}]}, "Pair a has no scan."),
        ({"task": "abdomen", "training": [CASE | {"pet": "x"}]}, "has the unknown key 'pet'"),
        ({"task": "abdomen", "training": [CASE | {"id": "../a"}]}, "'../a' cannot be part of a"),
        ({"task": "abdomen", "training": [CASE | {"ct": 3}]}, "gives 3 where the path of a file"),
        (
            {"task": "abdomen", "training": [CASE | {"ct": "no.nii"}]},
            "no.nii, which does not exist",
        ),
        (  # a name of nobody, not a home folder
            {"task": "abdomen", "training": [CASE | {"ct": "~ct.nii.gz"}]},
            "~ct.nii.gz, which does not exist",
        ),
        (
            {"task": "abdomen", "training": [CASE | {"ct_organs": ["heart"]}]},
            "Case a names the unknown organ 'heart'.",
        ),
        (
            {"task": "abdomen", "training": [CASE | {"ct_organs": [{"liver": 1}]}]},
            "Case a gives [{'liver': 1}] as organs; give a list of their names.",
        ),
        (
            {"task": "abdomen", "training": [CASE | {"ct_organs": "liver"}]},
            "Case a gives 'liver' as organs; give a list of their names.",
        ),
        (
            {"task": "abdomen", "training": [CASE | {"ct_scribbles": "mr_marks.nii.gz"}]},
            "The ct scan has dense labels and scribbles; give one.",
        ),
        (
            {"task": "abdomen", "training": [{"id": "a", "ct_labels": "ct_labels.nii.gz"}]},
            "Case a has 'ct_labels' but no 'ct' to go with it.",
        ),
        (
            {"task": "abdomen", "unannotated": "x", "training": [CASE]},
            "'unannotated' is 'x', not a number from 0 to 255.",
        ),
        (
            {"task": "abdomen", "training": [CASE | {"ct": "cohort.json"}]},
            "Case a: cohort.json is not an image",
        ),
    ],
)
def test_a_cohort_that_cannot_be_used_is_told_and_leaves_nothing(a_folder, capsys, content, words):
    before = {path.name for path in a_folder.iterdir()}
    with pytest.raises(SystemExit) as stop:
        prepared(a_folder, content)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
    assert {path.name for path in a_folder.iterdir()} == before | {"cohort.json"}


def test_labels_on_another_grid_are_refused_by_case(a_folder, capsys):
    a_map(a_folder / "ct_labels.nii.gz", grid=GRID.moved(np.diag([1, 1, 1, 1]) + np.eye(4, k=3)))
    with pytest.raises(SystemExit):
        prepared(a_folder, {"task": "abdomen", "training": [CASE]})
    assert "Case a: The label map ct_labels.nii.gz lies on another grid" in capsys.readouterr().err


def test_a_cache_that_is_there_is_left_alone(a_folder, capsys):
    (a_folder / "cache").mkdir()
    (a_folder / "cache" / "mine").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        prepared(a_folder, {"task": "abdomen", "training": [CASE]})
    assert stop.value.code == 2
    assert "exists already; give another folder or remove it." in capsys.readouterr().err
    assert (a_folder / "cache" / "mine").read_text() == "mine"


def test_phantoms_join_the_training_cases_on_request(a_folder):
    content = {
        "task": "abdomen",
        "training": [CASE],
        "validation": [CASE | {"id": "v", "ct": "other_ct.nii.gz"}],
    }
    (a_folder / "cohort.json").write_text(json.dumps(content))
    command = ["prepare", str(a_folder / "cohort.json"), "--out", str(a_folder / "cache")]
    main([*command, "--phantoms", "1"])
    made = [scan for scan in open_cache(a_folder / "cache").scans if scan.phantom]
    assert [(scan.role, scan.split, scan.dense) for scan in made] == [
        ("ct", "train", True),
        ("mr", "train", True),
    ]
    assert {*np.unique(np.load(made[0].labels))} >= {0, 1, 2, 3, 4}


@pytest.mark.parametrize("names", [{"1": "spleen", "4": "liver"}, {"spleen": 1, "liver": 4}])
def test_a_datalists_own_table_of_labels_counts(a_folder, names):
    content = {"task": "abdomen", "training": [MARKED], "labels": names}
    (scan,) = prepared(a_folder, content).of("train", "mr")
    assert set(np.unique(np.load(scan.labels))) == {TABLE.named("spleen").value, 255}


@pytest.mark.parametrize("names", [["liver"], {"one": "liver"}, {"liver": None}, 7])
def test_a_table_of_labels_that_is_none_is_told(a_folder, capsys, names):
    with pytest.raises(SystemExit):
        prepared(a_folder, {"task": "abdomen", "training": [MARKED], "labels": names})
    assert "'labels' must give each value a name" in capsys.readouterr().err


def test_a_data_sets_folder_is_prepared_for_a_task_that_is_there(tmp_path, capsys):
    folder = an_nnunet_folder(tmp_path)
    words = ["prepare", str(folder), "--out", str(tmp_path / "cache")]
    with pytest.raises(SystemExit):
        main(words)
    assert f"{folder} is a folder, which names no task: make one of it with 'cmcseg task new'" in (
        capsys.readouterr().err
    )
    card = tiny_card()
    card = replace(card, grid=replace(card.grid, spacing=(6.0, 6.0, 6.0)))
    (tmp_path / "own.json").write_text(json.dumps(card.to_dict()))
    main([*words, "--task", str(tmp_path / "own.json")])
    scans = open_cache(tmp_path / "cache").of("train", "ct")
    assert len(scans) == 3
    assert set(np.unique(np.load(scans[0].labels))) - {255} == {0, 1, 4}  # liver and spleen
