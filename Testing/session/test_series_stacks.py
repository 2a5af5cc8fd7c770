"""A series that holds several stacks: the window offers those that the host has not loaded."""

import numpy as np
import pytest
from cmcseg.core.steps import finish
from cmcseg.session.series_stacks import SeriesStacks
from cmcseg.worker.reading_verbs import read_scan, series_stacks
from dicom_phantom import write_series
from inline_runner import InlineRunner
from mrml_scene import Host, add_volume
from pydicom import dcmread
from pydicom.uid import generate_uid

SHAPE = (8, 7, 6)
AXIAL = np.diag([-2.0, -2.0, 5.0, 1.0])


@pytest.fixture
def echoes(tmp_path):
    """Files of two echoes in one series, one after the other."""
    voxels = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    series, files = generate_uid(), []
    for number, time in enumerate((2.3, 4.6)):

        def spoil(k, one, number=number, time=time):
            one.SeriesInstanceUID, one.SeriesNumber, one.EchoTime = series, 5, time
            one.InstanceNumber = 10 * number + k + 1

        files.append(
            write_series(
                tmp_path, voxels + 1000 * number, AXIAL, modality="MR", number=number, change=spoil
            )
        )
    return files


@pytest.fixture
def a_host():
    host = Host()
    yield host
    host.close()


class Desk:
    """A scene with one volume of some files, as Slicer's DICOM module leaves it."""

    def __init__(self, host, files):
        from cmcseg.mrml.scene import MrmlScene

        self.told, self.loaded, self.asked = [], [], []
        self.uids = {str(dcmread(file).SOPInstanceUID): str(file) for file in files}
        array = np.zeros((*SHAPE[:2], len(files)), np.int16)
        self.node = add_volume(host.scene, array, AXIAL, "5: dual")
        self.node.SetAttribute("DICOM.instanceUIDs", " ".join(self.uids))
        self.scene, self.nodes = MrmlScene(host.scene), host.scene
        self.runner = InlineRunner(self.answer)
        self.stacks = SeriesStacks(self.scene, self.runner, lambda uid: self.uids.get(uid, ""))
        self.stacks.told.connect(lambda *told: self.told.append(told))
        self.key = self.node.GetID()

    def answer(self, request, report):
        self.asked.append(request.verb)
        verb = {"series-stacks": series_stacks, "read-scan": read_scan}[request.verb]
        return verb(request, None, report)

    def look(self):
        self.stacks.ask([self.key])
        self.pump()
        return self.stacks.offered(self.key)

    def pump(self):
        while self.runner.busy:
            self.runner.pump()


def test_two_echoes_in_one_volume_are_told_and_each_is_offered(a_host, echoes):
    desk = Desk(a_host, [file for pair in zip(*echoes, strict=True) for file in pair])
    offered = desk.look()
    assert [title.split(" (")[1] for title, _ in offered] == [
        "MR, 6 slices, echo time 2.3 ms)",
        "MR, 6 slices, echo time 4.6 ms)",
    ]
    assert desk.stacks.note(desk.key) == (
        "5: dual mixes 2 of the 2 stacks of slices in its series; choose one of them in the list "
        "above."
    )


def test_a_stack_that_is_chosen_comes_into_the_scene_as_its_files_are(a_host, echoes):
    desk = Desk(a_host, echoes[0])
    ((title, offer),) = desk.look()
    assert "echo time 4.6 ms" in title
    assert "is one of 2 stacks of slices in its series" in desk.stacks.note(desk.key)
    assert desk.stacks.is_offer(offer)
    assert not desk.stacks.is_offer(desk.key)
    desk.stacks.load(offer, desk.loaded.append)
    desk.pump()
    (new,) = desk.loaded
    read = finish(desk.scene.reading(new))
    assert read.array.shape == SHAPE
    assert read.array.min() == 1000
    assert np.allclose(np.abs(read.grid.affine), np.abs(AXIAL))
    assert desk.nodes.GetNodeByID(new).GetName() == title
    assert desk.stacks.offered(desk.key) == []
    assert desk.told == []


def test_a_series_is_looked_at_once_and_one_stack_is_no_news(a_host, echoes):
    for file in echoes[1]:
        file.unlink()
    desk = Desk(a_host, echoes[0])
    assert desk.look() == desk.look() == []
    assert desk.asked == ["series-stacks"]
    assert desk.stacks.note(desk.key) == ""


def test_a_stack_that_cannot_be_read_is_told_and_nothing_comes(a_host, echoes):
    desk = Desk(a_host, echoes[0])
    ((_, offer),) = desk.look()
    echoes[1][2].unlink()
    desk.stacks.load(offer, desk.loaded.append)
    desk.pump()
    assert desk.loaded == []
    assert "1 slice is missing" in desk.told[0][0]
    assert "Reading" not in desk.stacks.note(desk.key)


def test_what_is_read_when_the_scene_is_closed_is_dropped(a_host, echoes):
    desk = Desk(a_host, echoes[0])
    ((_, offer),) = desk.look()
    desk.stacks.load(offer, desk.loaded.append)
    a_host.scene.Clear(0)
    desk.pump()
    assert desk.loaded == []
    assert desk.scene.scans() == ()


def test_of_files_that_nobody_knows_nothing_is_asked(a_host, echoes):
    desk = Desk(a_host, echoes[0])
    desk.uids.clear()
    assert desk.look() == []
    assert desk.asked == []
