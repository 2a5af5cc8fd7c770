"""A series of two echoes that Slicer's DICOM module loaded as one volume."""

import types

import numpy as np
import pytest

SHAPE = (8, 7, 6)
AXIAL = np.diag([-2.0, -2.0, 5.0, 1.0])


@pytest.fixture
def a_series(a_desk, tmp_path, monkeypatch):
    """The desk with such a volume as its MR, and the database that knows its files."""
    import slicer
    from dicom_phantom import write_series
    from mrml_scene import add_volume
    from pydicom import dcmread
    from pydicom.uid import generate_uid

    uid, files = generate_uid(), []
    for number, time in enumerate((2.3, 4.6)):

        def spoil(k, one, number=number, time=time):
            one.SeriesInstanceUID, one.SeriesNumber, one.EchoTime = uid, 5, time
            one.InstanceNumber = 10 * number + k + 1

        voxels = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) + 1000 * number
        files += write_series(
            tmp_path / "echoes", voxels, AXIAL, modality="MR", number=number, change=spoil
        )
    known = {str(dcmread(file).SOPInstanceUID): str(file) for file in files}
    database = types.SimpleNamespace(fileForInstance=lambda image: known.get(image, ""))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    mixed = np.zeros((*SHAPE[:2], 12), np.int16)
    mixed[0] = 1
    node = add_volume(a_desk.scene, mixed, AXIAL, "5: dual", modality="MR")
    node.SetAttribute("DICOM.instanceUIDs", " ".join(known))
    a_desk.panel.segment.set_scan("mr", node.GetID())
    a_desk.quiet()
    return a_desk


def test_the_selector_offers_what_the_series_of_its_scan_holds(a_series):
    ui, until = a_series.ui, a_series.until
    boxes = {role: a_series.panel._scans._boxes[role] for role in ("ct", "mr")}
    texts = [boxes["mr"].itemText(n) for n in range(boxes["mr"].count)]
    assert [text.split(", ")[-1] for text in texts[-2:]] == [
        "echo time 2.3 ms)",
        "echo time 4.6 ms)",
    ]
    assert not any("echo" in boxes["ct"].itemText(n) for n in range(boxes["ct"].count))
    assert "5: dual mixes 2 of the 2 stacks of slices in its series" in ui.hintLabel.text
    boxes["mr"].setCurrentIndex(boxes["mr"].count - 1)
    a_series.quiet()
    chosen = a_series.scene.GetNodeByID(a_series.panel.segment.chosen["mr"])
    until(lambda: boxes["mr"].currentText == chosen.GetName())
    assert chosen.GetName() == texts[-1]
    assert chosen.GetImageData().GetDimensions() == SHAPE
    assert chosen.GetImageData().GetScalarRange()[0] == 1000
    assert "is one of 2 stacks of slices in its series" in ui.hintLabel.text
