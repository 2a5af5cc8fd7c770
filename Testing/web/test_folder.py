"""What the app finds in its folder, and that no name leads out of it."""

import os

import pytest
from cmcseg.core.errors import BadInput
from cmcseg.web.folder import LONGEST, Folder, plain
from hypothesis import given
from hypothesis import strategies as st

ROLES = {"ct", "mr", "bssfp", "lge"}


@pytest.fixture
def a_folder(tmp_path):
    return Folder(tmp_path / "scans")


def put(folder, *names):
    for name in names:
        path = folder.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0" * 128 + b"DICM" if name.endswith(".dcm") else b"scan")


def found(folder):
    return {case.id: sorted(case.files) for case in folder.cases(ROLES)}


@pytest.mark.parametrize(
    ("names", "cases"),
    [
        (["ann_ct.nii.gz", "ann_mr.nii.gz"], {"ann": ["ct", "mr"]}),
        (["ann/ct.nii.gz", "ann/mr.nrrd"], {"ann": ["ct", "mr"]}),
        (["CT-ann.nii", "mr ann.mha"], {"ann": ["ct", "mr"]}),
        (["01_bssfp.nii.gz", "01_lge.nii.gz", "02_lge.nii.gz"],
         {"01": ["bssfp", "lge"], "02": ["lge"]}),
        (["ward/7/7_ct.nii.gz", "ward/7/7_mr.nii.gz"], {"ward/7/7": ["ct", "mr"]}),
        (["abdomen.nii.gz"], {"abdomen": [""]}),
        (["ann_ct.nii.gz", "ann_ct_labels.nii.gz", "ann_mr_seg.nii.gz"], {"ann": ["ct"]}),
        (["study/a/1.dcm", "study/a/2.dcm", "study/b/3.dcm"], {"study": ["", "'"]}),
        (["notes.txt", "queue/p1/ct.nii.gz", ".hidden/ct.nii.gz", ".ct.nii.gz"], {}),
        ([], {}),
    ],
)  # fmt: skip
def test_scans_of_one_patient_are_one_case(a_folder, names, cases):
    put(a_folder, *names)
    assert found(a_folder) == cases


@pytest.mark.parametrize(
    ("names", "titles"),
    [
        (["patient7_ct/patient7_ct.nii.gz"], ["patient7"]),
        (["ward/7/7_ct.nii.gz", "ward/7/7_mr.nii.gz"], ["ward/7"]),
        (["ann/ct.nii.gz"], ["ann"]),
        (["a_ct/a.nii.gz", "a_mr/a.nii.gz"], ["a_ct/a", "a_mr/a"]),  # each would be called a
        (["visit 1/scan.nii.gz"], ["visit 1/scan"]),
    ],
)
def test_a_case_is_called_what_its_files_are(a_folder, names, titles):
    put(a_folder, *names)
    assert [case.title for case in a_folder.cases(ROLES)] == titles


def test_two_scans_of_one_role_are_both_kept(a_folder):
    put(a_folder, "ann/ct.nii.gz", "ann/CT.nrrd")
    files = a_folder.cases(ROLES)[0].files
    assert sorted(path[0].name for path in files.values()) == ["CT.nrrd", "ct.nii.gz"]


def test_every_folder_of_a_dicom_study_is_a_scan_of_its_case(a_folder):
    put(a_folder, "study/a/1.dcm", "study/a/2.dcm", "study/b/3.dcm")
    files = a_folder.cases(ROLES)[0].files.values()
    assert sorted(tuple(path.name for path in scan) for scan in files) == [
        ("1.dcm", "2.dcm"),
        ("3.dcm",),
    ]


def test_what_a_disc_brings_along_hides_no_scan(a_folder):
    put(a_folder, "cd/IM1.dcm", "cd/IM2.dcm")
    for name in ("AUTORUN.INF", "DICOMDIR", ".DS_Store", "._IM1.dcm", "A_README.TXT"):
        (a_folder.root / "cd" / name).write_bytes(b"[autorun]")
    (case,) = a_folder.cases(ROLES)
    assert {"IM1.dcm", "IM2.dcm"} <= {path.name for path in case.files[""]}


def test_a_file_and_a_dicom_folder_of_one_name_are_both_to_be_had(a_folder):
    put(a_folder, "anna.nii.gz", "anna/IM1.dcm")
    files = a_folder.cases(ROLES)[0].files.values()
    assert sorted(path[0].name for path in files) == ["IM1.dcm", "anna.nii.gz"]


def test_a_link_that_leads_out_is_passed_over(a_folder, tmp_path):
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "ct.nii.gz").write_bytes(b"scan")
    (a_folder.root / "in").symlink_to(tmp_path / "else")
    (a_folder.root / "ct.nii.gz").symlink_to(tmp_path / "else" / "ct.nii.gz")
    assert found(a_folder) == {}
    with pytest.raises(BadInput, match="outside the folder"):
        a_folder.inside("in", "ct.nii.gz")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "..", "a/../.."])
def test_a_path_that_leads_out_is_refused(a_folder, name):
    with pytest.raises(BadInput, match="outside the folder"):
        a_folder.inside(name)


@given(st.text(max_size=300))
def test_a_plain_name_is_one_harmless_part_of_a_path(name):
    try:
        kept = plain(name)
    except BadInput:
        return
    assert 0 < len(kept) <= LONGEST
    assert os.path.basename(kept) == kept  # noqa: PTH119
    assert kept not in (".", "..")
    assert not kept.startswith(".")
    assert "\0" not in kept


def test_a_long_name_keeps_the_ending_that_tells_its_format():
    assert plain("x" * 300 + ".nii.gz").endswith("x.nii.gz")


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "scans").write_text("")
    with pytest.raises(BadInput, match="cannot be used"):
        Folder(tmp_path / "scans")


def test_a_folder_that_was_deleted_is_told(a_folder):
    a_folder.root.joinpath(".cmcseg").rmdir()
    a_folder.root.rmdir()
    with pytest.raises(BadInput, match="is gone; put it back, or start the app anew"):
        a_folder.cases(ROLES)


def test_a_folder_that_cannot_be_read_hides_no_other(a_folder, monkeypatch):
    put(a_folder, "ann/ct.nii.gz", "bob/ct.nii.gz")
    listing = type(a_folder.root).iterdir

    def refused(path):
        if path.name == "bob":
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(type(a_folder.root), "iterdir", refused)
    assert found(a_folder) == {"ann": ["ct"]}


@pytest.mark.skipif(os.name != "posix", reason="links and pipes are POSIX")
def test_a_link_that_points_at_itself_hides_no_case(a_folder):
    (a_folder.root / "loop").symlink_to("loop")
    (a_folder.root / "ring_ct.nii").symlink_to("ring_ct.nii")
    os.mkfifo(a_folder.root / "pipe_ct.nii")
    os.mkfifo(a_folder.root / "pipe")
    (a_folder.root / "ann_ct.nii.gz").write_bytes(b"")
    assert [case.id for case in a_folder.cases({"ct"})] == ["ann"]


def test_what_a_killed_program_left_is_swept_and_nothing_else(a_folder):
    left = [
        a_folder.own("incoming", "tmpabc") / "model.zip",
        a_folder.own("drafts", "ann") / ".cmcseg-0a-drawn.npz",
        a_folder.own("reports") / ".cmcseg-0a-ann.html",
    ]
    stay = [
        a_folder.own("drafts", "ann") / "drawn.npz",
        a_folder.own("reports") / "ann.html",
        a_folder.own("incoming", "tmpnow") / "ct.nii",
    ]
    for path in (*left, *stay):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        for place in (path, path.parent):
            os.utime(place, (0, 0))
    os.utime(stay[-1])  # it is still coming
    a_folder.sweep()
    assert [path for path in left if path.exists()] == []
    assert [path for path in stay if not path.exists()] == []


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps lists of its own")
def test_what_is_ours_can_be_entered_by_its_owner_alone(a_folder):
    old = os.umask(0o022)
    try:
        made = a_folder.make("drafts", "ann")
    finally:
        os.umask(old)
    for path in (made, made.parent, a_folder.own()):
        assert path.stat().st_mode & 0o077 == 0
