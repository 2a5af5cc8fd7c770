"""The review list on the panel: list, next, accept or skip, on a worker that is a process."""

import pytest


@pytest.fixture
def a_list(a_real_desk, a_host, until, tmp_path):
    """A panel with two scans of the user's, whose folder holds the pairs anna and bert."""
    from types import SimpleNamespace

    from cmcseg.core.volume import Volume
    from cmcseg.imaging.files import write_volume
    from mrml_scene import ball_scan, box

    grid = box((24, 22, 20), (6.0, 6.0, 7.0))
    for name in ("anna", "bert"):
        place = tmp_path / "scans" / name
        place.mkdir(parents=True)
        for role in ("ct", "mr"):
            write_volume(Volume(array=ball_scan(grid), grid=grid), place / f"{role}.nii.gz")
    panel = a_real_desk
    desk = SimpleNamespace(panel=panel, ui=panel.ui, scene=a_host.scene, tmp=tmp_path)
    desk.quiet = lambda: until(lambda: not panel.runner.busy)

    def press(name):
        button = getattr(panel.ui, name)
        assert button.isEnabled(), f"{name}: {button.toolTip}"
        button.click()
        desk.quiet()

    def names(kind):
        nodes = a_host.scene.GetNodesByClass(f"vtkMRML{kind}Node")
        count = nodes.GetNumberOfItems()
        return sorted(nodes.GetItemAsObject(n).GetName() for n in range(count))

    desk.press, desk.names = press, names
    return desk


def entries(desk):
    from cmcseg.queue.ledger import Ledger

    return Ledger(desk.tmp / "queue").entries()


def open_list(desk):
    desk.ui.folderEdit.setText(str(desk.tmp / "scans"))
    desk.press("listButton")


def test_nothing_can_be_listed_without_a_folder(a_list):
    ui = a_list.ui
    for name, why in {
        "listButton": "Choose a folder of scans first.",
        "nextPairButton": "Make the list first.",
        "skipButton": "No pair is open.",
    }.items():
        button = getattr(ui, name)
        assert not button.isEnabled(), name
        assert why in button.toolTip


def test_the_list_is_walked_beside_the_users_own_scans(a_list):
    from cmcseg.queue.pseudonyms import key_beside, pair_for

    ui = a_list.ui
    own = a_list.names("ScalarVolume")
    open_list(a_list)
    a_list.press("nextPairButton")
    assert ui.worklistLabel.text == "1 of 2: anna, chosen by doubt"
    assert a_list.panel.segment.chosen == a_list.panel.review.result.scans
    assert not ui.nextPairButton.isEnabled()
    assert "A pair is open; accept it or skip it first." in ui.nextPairButton.toolTip
    ui.restoreButton.click()
    a_list.quiet()
    a_list.press("acceptButton")
    (kept,) = entries(a_list)
    assert set(kept.scans) == {"ct", "mr"}
    assert kept.pair == pair_for("anna", key_beside(a_list.tmp / "queue"), lambda: "another")
    a_list.press("nextPairButton")
    assert ui.worklistLabel.text == "2 of 2: bert, chosen by doubt"
    a_list.press("skipButton")
    assert len(entries(a_list)) == 1
    a_list.press("nextPairButton")
    assert ui.worklistLabel.text == "Every pair was looked at."
    assert a_list.names("ScalarVolume") == own
    assert a_list.names("Segmentation") == []


def test_other_scans_are_not_accepted_under_the_name_of_the_pair_that_is_open(a_list):
    panel, ui = a_list.panel, a_list.ui
    own = dict(panel.segment.chosen)
    open_list(a_list)
    a_list.press("nextPairButton")
    for role, key in own.items():
        panel.segment.set_scan(role, key)
    a_list.quiet()
    a_list.press("segmentButton")
    a_list.press("acceptButton")
    assert ui.messageLabel.text == (
        "anna of the review list is still open; skip it before accepting other scans."
    )
    assert entries(a_list) == []
    a_list.press("skipButton")
    a_list.press("acceptButton")
    assert len(entries(a_list)) == 1


def test_what_cannot_be_read_is_told_with_its_name_and_leaves_nothing(a_list):
    own = a_list.names("ScalarVolume")
    (a_list.tmp / "scans" / "anna" / "mr.nii.gz").write_bytes(b"nothing")
    open_list(a_list)
    a_list.press("nextPairButton")
    assert a_list.ui.messageLabel.text == "anna: mr.nii.gz cannot be read as a scan."
    assert a_list.names("ScalarVolume") == own
    a_list.press("nextPairButton")
    assert a_list.ui.worklistLabel.text == "2 of 2: bert, chosen by doubt"


def test_a_dicom_series_is_left_to_the_module_for_it(a_list):
    scan = a_list.tmp / "scans" / "anna" / "mr.nii.gz"
    scan.unlink()
    scan.with_name("mr").mkdir()
    open_list(a_list)
    a_list.press("nextPairButton")
    assert a_list.ui.messageLabel.text == (
        "anna: mr is a DICOM series; load it with the DICOM module and segment it from there."
    )


def test_the_question_which_pairs_wait_shows_its_progress(a_list):
    ui = a_list.ui
    ui.folderEdit.setText(str(a_list.tmp / "scans"))
    ui.listButton.click()
    assert not ui.progressBar.isHidden()
    assert not ui.stopListButton.isHidden()
    assert ui.segmentButton.isHidden(), "one thing at a time"
    a_list.quiet()
    assert ui.progressBar.isHidden()
