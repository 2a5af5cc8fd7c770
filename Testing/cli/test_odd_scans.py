"""Scans as scanners, exports and people leave them, segmented by the command: what is said."""

import json

import numpy as np
import pydicom
import pytest
from cmcseg.cli import main
from dicom_phantom import write_series
from pydicom.uid import generate_uid
from tiny import tiny_bundle

SHAPE = (40, 36, 20)
AXIAL = np.diag([-4.0, -4.0, 6.0, 1.0])
LEFT_ALONE = {
    "ct_labels.nii.gz",
    "ct.seg.nrrd",
    "ct_doubt.nii.gz",
    "prediction.json",
    "report.html",
}


@pytest.fixture
def a_model(tmp_path):
    return tiny_bundle(tmp_path / "model")


@pytest.fixture
def stored():
    return np.random.default_rng(0).integers(-1000, 300, SHAPE).astype(np.int16)


def segmented(model, scan, out, capsys, *words):
    main(["segment", "--model", str(model), f"ct={scan}", "--out", str(out), *words])
    return capsys.readouterr()


@pytest.mark.filterwarnings("ignore")  # pydicom tells that these values are odd
def test_a_series_that_no_segmentation_can_point_to_loses_nothing_but_that(
    tmp_path, a_model, stored, capsys
):
    def spoil(_k, one):
        one.SOPInstanceUID, one.PatientName = "1.2.3", "MUSTERFRAU ERIKA"

    write_series(tmp_path / "scan", stored, AXIAL, change=spoil)
    shown = segmented(a_model, tmp_path / "scan", tmp_path / "out", capsys)
    assert {path.name for path in (tmp_path / "out").iterdir()} == LEFT_ALONE
    words = " ".join(shown.out.split())
    assert words.count("No DICOM SEG is written for the ct scan; the other files are.") == 1
    assert words.index("No DICOM SEG") < words.index("Report:")
    assert "ERIKA" not in shown.out + shown.err
    told = json.loads((tmp_path / "out" / "prediction.json").read_text())["warnings"]
    assert any("several of them share one SOPInstanceUID" in warning for warning in told)


@pytest.mark.filterwarnings("ignore")
def test_a_series_with_stars_for_dates_gets_its_segmentation_and_names_nobody(
    tmp_path, a_model, stored, capfd, monkeypatch
):
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)

    def spoil(_k, one):
        one.StudyDate, one.PatientSex, one.PatientName = "***", "U", "MUSTERFRAU ERIKA"
        del one.AccessionNumber, one.FrameOfReferenceUID

    write_series(tmp_path / "scan", stored, AXIAL, change=spoil)
    shown = segmented(a_model, tmp_path / "scan", tmp_path / "out", capfd, "--json")
    assert (tmp_path / "out" / "ct_seg.dcm").is_file()
    assert "ERIKA" not in shown.out + shown.err
    assert json.loads(shown.out)["warnings"] is not None


def test_a_number_behind_a_folder_chooses_a_stack(tmp_path, a_model, stored, capsys):
    uid = generate_uid()

    def acquisition(number):
        def change(k, one):
            one.SeriesInstanceUID, one.AcquisitionNumber = uid, number
            one.InstanceNumber = 100 * number + k

        return change

    for number in (1, 2):
        write_series(
            tmp_path / "ct", stored + number, AXIAL, number=number, change=acquisition(number)
        )
    shown = segmented(a_model, f"{tmp_path / 'ct'}#2", tmp_path / "out", capsys)
    words = " ".join(shown.out.split())
    assert "the one read is #2 'Abdomen venous' (CT, 20 slices, acquisition 2)" in words
    # The segmentation points to the slices that were read.
    segment = pydicom.dcmread(tmp_path / "out" / "ct_seg.dcm")
    referred = {
        item.ReferencedSOPInstanceUID
        for item in segment.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    mine = {
        str(one.SOPInstanceUID)
        for one in map(pydicom.dcmread, (tmp_path / "ct").iterdir())
        if one.AcquisitionNumber == 2
    }
    assert referred == mine
