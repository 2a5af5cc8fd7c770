"""``cmcseg queue`` as later work relies on it."""

import json

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.cli import main
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import read_volume, write_label_map, write_volume
from dicom_phantom import write_series
from queued import GRID, a_draft

MODEL = "abdomen-ct-mr"


@pytest.fixture
def a_pair(tmp_path):
    """ROLE=PATH words of a CT with a corrected liver, and an MR without labels."""
    for role, seed in (("ct", 1), ("mr", 2)):
        write_volume(a_draft(seed).scans["ct"], tmp_path / f"{role}.nii.gz")
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:4] = 1
    liver = LabelMap(array=labels, grid=GRID, table=task_card("abdomen").table)
    write_label_map(liver, tmp_path / "liver.nii.gz")
    return [
        f"ct={tmp_path / 'ct.nii.gz'}",
        f"ct_labels={tmp_path / 'liver.nii.gz'}",
        f"mr={tmp_path / 'mr.nii.gz'}",
    ]


def queue(capsys, tmp_path, *words):
    main(["queue", words[0], "--queue", str(tmp_path / "q"), *map(str, words[1:])])
    return capsys.readouterr().out


def add(capsys, tmp_path, a_pair, subject="Jane Doe"):
    return queue(capsys, tmp_path, "add", "--id", subject, "--model", MODEL, *a_pair).strip()


def test_a_corrected_pair_is_added_listed_and_verified(capsys, tmp_path, a_pair):
    entry = add(capsys, tmp_path, a_pair)
    rows = json.loads(queue(capsys, tmp_path, "list", "--json"))
    assert [row["id"] for row in rows] == [entry]
    assert set(rows[0]["scans"]) == {"ct", "mr"}
    checked = json.loads(queue(capsys, tmp_path, "verify", "--json"))
    assert checked == {"entries": 1, "set_aside": {}, "twins": [], "closed": 0}
    assert queue(capsys, tmp_path, "verify").strip() == "1 entry is whole, 0 set aside."


def test_the_patient_is_nowhere_in_the_queue(capsys, tmp_path, a_pair):
    first = add(capsys, tmp_path, a_pair)
    second = add(capsys, tmp_path, a_pair)
    assert second == first.replace(".r1", ".r2")  # the key knows her again
    for path in (tmp_path / "q").rglob("*"):
        assert "Jane" not in path.name
        assert path.is_dir() or b"Jane" not in path.read_bytes()
    assert "Jane" in next((tmp_path / "q-key").iterdir()).read_text()


def test_a_scan_that_is_referred_to_is_not_copied(capsys, tmp_path, a_pair):
    entry = add(capsys, tmp_path, [*a_pair, "--reference"], "7731-x")
    told = json.loads(queue(capsys, tmp_path, "show", entry))["scans"]["ct"]
    assert told["image"] == str(tmp_path / "ct.nii.gz")
    names = {path.name for path in (tmp_path / "q" / "entries" / entry).iterdir()}
    assert names == {"entry.json", "SHA256SUMS", "ct_labels.nii.gz"}


def test_a_path_that_tells_the_patient_is_not_kept(capsys, tmp_path, a_pair):
    place = tmp_path / "DOE_JANE_1970"
    place.mkdir()
    (tmp_path / "ct.nii.gz").rename(place / "ct.nii.gz")
    with pytest.raises(SystemExit) as stop:
        add(capsys, tmp_path, [f"ct={place / 'ct.nii.gz'}", a_pair[1], "--reference"])
    assert stop.value.code == 2
    assert "The path of the ct holds 'jane' of the patient's id" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("q")) == []


def test_a_dicom_series_is_copied_but_never_referred_to(capsys, tmp_path):
    scan = a_draft().scans["ct"]
    write_series(tmp_path / "dicom", scan.array, scan.grid.affine)
    scan = read_volume(tmp_path / "dicom")
    table = task_card("abdomen").table
    drawn = LabelMap(array=np.ones(scan.grid.shape, np.uint8), grid=scan.grid, table=table)
    write_label_map(drawn, tmp_path / "l.nii.gz")
    words = [f"ct={tmp_path / 'dicom'}", f"ct_labels={tmp_path / 'l.nii.gz'}"]
    with pytest.raises(SystemExit):
        add(capsys, tmp_path, [*words, "--reference"])
    assert "The ct is DICOM, which is many files and holds the patient's name" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "q").exists()
    entry = add(capsys, tmp_path, words)
    assert (tmp_path / "q" / "entries" / entry / "ct.nii.gz").is_file()


def test_scans_that_the_queue_has_are_a_revision_whatever_the_patient_is_called(
    capsys, tmp_path, a_pair
):
    first = add(capsys, tmp_path, a_pair)
    main(
        ["queue", "add", "--queue", str(tmp_path / "q"), *a_pair, "--id", "J. D.", "--model", MODEL]
    )
    told = capsys.readouterr()
    pair = first.split(".")[0]
    assert told.out.strip() == f"{pair}.r2"
    assert told.err.strip() == (
        f"The queue has these scans already, as {pair}; this is its revision 2."
    )
    assert json.loads(queue(capsys, tmp_path, "verify", "--json"))["twins"] == []


def test_an_entry_is_removed_and_restored(capsys, tmp_path, a_pair):
    entry = add(capsys, tmp_path, a_pair)
    queue(capsys, tmp_path, "remove", entry)
    assert json.loads(queue(capsys, tmp_path, "list", "--json")) == []
    assert queue(capsys, tmp_path, "restore", entry).strip() == entry
    assert json.loads(queue(capsys, tmp_path, "show", entry))["pair"] == entry.split(".")[0]


@pytest.mark.parametrize(("form", "file"), [("datalist", "datalist.json"), ("nnunet", "")])
def test_an_exported_queue_is_imported_again_pair_by_pair(capsys, tmp_path, a_pair, form, file):
    for seed, subject in enumerate("abcd"):
        write_volume(a_draft(seed).scans["ct"], tmp_path / "ct.nii.gz")
        add(capsys, tmp_path, a_pair[:2], subject)
    before = json.loads(queue(capsys, tmp_path, "list", "--json"))
    queue(capsys, tmp_path, "export", tmp_path / "out", "--format", form)
    place = ["--queue", str(tmp_path / "other"), "--model", MODEL, "--json"]
    main(["queue", "import", str(tmp_path / "out" / file), *place])
    capsys.readouterr()
    main(["queue", "list", *place[:2], "--json"])
    after = json.loads(capsys.readouterr().out)
    assert {row["id"]: row["part"] for row in after} == {row["id"]: row["part"] for row in before}
    assert {row["part"] for row in after} == {"learn"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: [files[0]], "No label map was given; an entry needs a corrected scan."),
        (lambda files: [files[1]], "ct_labels was given without ct=IMAGE."),
        (lambda files: [*files, "pet=x"], "'pet=x' is neither ROLE=IMAGE nor ROLE_labels"),
        (lambda files: [*files, files[0]], "ct was given twice."),
        (lambda files: [*files[:2], "mr=none.nii"], "There is no file none.nii"),
        (
            lambda files: [files[1].replace("_labels", ""), files[1]],
            "The ct scan holds nothing but values of the label table; give the scan itself.",
        ),
        (
            lambda files: [*files[:2], files[0].replace("ct=", "mr=")],
            "The same scan was given as ct and as mr; give two scans, or one.",
        ),
    ],
)
def test_what_cannot_be_queued_is_told_and_leaves_nothing(capsys, tmp_path, a_pair, change, words):
    with pytest.raises(SystemExit) as stop:
        add(capsys, tmp_path, change(a_pair))
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "q").exists()
    assert not (tmp_path / "q-key").exists()


@pytest.mark.parametrize(
    "words",
    [["show", "p4f01c2.r1"], ["remove", "p4f01c2.r1"], ["export", "out"]],
)
def test_a_slip_in_the_queue_s_name_is_not_an_empty_queue(capsys, tmp_path, words):
    with pytest.raises(SystemExit) as stop:
        queue(capsys, tmp_path, *words)
    assert stop.value.code == 2
    wanted = f"There is no queue {tmp_path / 'q'}; 'cmcseg queue add' makes one."
    assert capsys.readouterr().err.strip() == wanted
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("verb", "printed"),
    [("list", []), ("verify", {"entries": 0, "set_aside": {}, "twins": [], "closed": 0})],
)
def test_a_queue_that_nobody_has_begun_is_empty_and_said_to_be_missing(
    capsys, tmp_path, verb, printed
):
    main(["queue", verb, "--queue", str(tmp_path / "q"), "--json"])
    told = capsys.readouterr()
    assert json.loads(told.out) == printed
    assert told.err.strip() == f"There is no queue {tmp_path / 'q'} yet."
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_queue_s_place_gets_no_key_beside_it(capsys, tmp_path, a_pair):
    (tmp_path / "q").write_text("my notes")
    with pytest.raises(SystemExit) as stop:
        add(capsys, tmp_path, a_pair)
    assert stop.value.code == 2
    told = capsys.readouterr().err.strip()
    assert told == f"The queue {tmp_path / 'q'} is a file; give a folder."
    assert not (tmp_path / "q-key").exists()


@pytest.mark.usefixtures("a_pair")
def test_an_import_whose_labels_fit_no_scan_is_told_in_a_sentence(capsys, tmp_path):
    small = a_draft(1).scans["ct"].array[1:]
    grid = Grid(shape=small.shape, affine=GRID.affine)
    write_volume(Volume(array=small, grid=grid), tmp_path / "small.nii.gz")
    cases = [{"ct": "small.nii.gz", "ct_labels": "liver.nii.gz"}]
    (tmp_path / "list.json").write_text(json.dumps({"training": cases}))
    with pytest.raises(SystemExit) as stop:
        queue(capsys, tmp_path, "import", tmp_path / "list.json", "--model", MODEL)
    assert stop.value.code == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("The label map liver.nii.gz lies on another grid than its scan; ")


def test_a_queue_that_others_could_read_is_closed_and_said_to_be(capsys, tmp_path, a_pair):
    add(capsys, tmp_path, a_pair)
    opened = [tmp_path / "q", tmp_path / "q-key", next((tmp_path / "q-key").iterdir())]
    for path in opened:
        path.chmod(0o755 if path.is_dir() else 0o644)
    words = " ".join(queue(capsys, tmp_path, "verify").split())
    assert "could read 3 files and folders of the queue or its key; they no longer can." in words
    assert not any(path.stat().st_mode & 0o077 for path in opened)


def test_a_patient_is_forgotten_only_when_that_is_meant(capsys, tmp_path, a_pair):
    entry = add(capsys, tmp_path, a_pair)
    folder = tmp_path / "q" / "entries" / entry
    with pytest.raises(SystemExit):
        main(["queue", "forget", "Jane Doe", "--queue", str(tmp_path / "q")])
    told = capsys.readouterr()
    assert str(folder) in told.out
    assert "Nothing was erased; say --yes if that is meant." in told.err
    assert folder.is_dir()
    told = json.loads(queue(capsys, tmp_path, "forget", "Jane Doe", "--yes", "--json"))
    assert (told["folders"], told["learned"], told["erased"]) == ([str(folder)], [], True)
    assert not folder.exists()
    assert list((tmp_path / "q-key").iterdir()) == []


def test_models_that_learned_from_a_forgotten_patient_are_named(
    capsys, tmp_path, a_pair, monkeypatch
):
    from dataclasses import replace

    from cmcseg.bundle.pack import save_bundle
    from cmcseg.bundle.store import Store
    from tiny import tiny_card, tiny_state

    entry = add(capsys, tmp_path, a_pair)
    card = replace(tiny_card(), name="mine", history=({"learned_from": [entry]},))
    save_bundle(tiny_state(card), card, tmp_path / "user" / "mine")
    store = Store(shipped=tmp_path / "none", user=tmp_path / "user")
    monkeypatch.setattr("cmcseg.bundle.store.default_store", lambda: store)
    words = " ".join(queue(capsys, tmp_path, "forget", "Jane Doe", "--yes").split())
    assert f"mine {card.version} has learned from it, which nothing takes out" in words
    assert "copies of this queue, exports" in words
