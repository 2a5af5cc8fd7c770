"""Scans of files that nobody vouches for: read in a process that may die of them."""

import sys
import time

import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import write_volume
from cmcseg.session.reading import ScanReader, cause_of_death, reading_runner
from dicom_phantom import write_series

AXIAL = np.diag([-2.0, -2.0, 3.0, 1.0])
SHAPE = (12, 10, 8)


@pytest.fixture
def stored():
    return np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(np.int16)


@pytest.fixture
def a_reader(tmp_path):
    reader = ScanReader(reading_runner(sys.executable, logs=tmp_path / "logs"))
    yield reader
    reader.close()


def told(reader, path, within, **options):
    """What the reader says of a file: a scan, or a sentence."""
    heard = []
    reader.read(
        path,
        within=within,
        done=heard.append,
        failed=lambda sentence, _log: heard.append(sentence),
        **options,
    )
    deadline = time.monotonic() + 60
    while not heard:
        assert time.monotonic() < deadline, "it never came"
        reader.pump()
        time.sleep(0.01)
    return heard[0]


def test_a_reader_hands_back_scans_and_outlives_what_it_cannot_read(tmp_path, a_reader, stored):
    volume = Volume(array=stored, grid=Grid(shape=SHAPE, affine=AXIAL))
    write_volume(volume, tmp_path / "ct.nii.gz")
    scan = told(a_reader, tmp_path / "ct.nii.gz", tmp_path)
    assert scan.volume.is_same_as(volume)
    assert scan.volume.array.flags.f_contiguous
    assert (scan.notes, scan.stacks) == ((), ())
    data = (tmp_path / "ct.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(data[: len(data) // 2])
    assert "cut.nii.gz is damaged or was cut short" in told(
        a_reader, tmp_path / "cut.nii.gz", tmp_path
    )
    assert told(a_reader, tmp_path / "ct.nii.gz", tmp_path / "logs") == (
        "ct.nii.gz lies outside the folder logs; it was not read."
    )
    folder = tmp_path / "dicom"
    write_series(folder, stored, AXIAL, description="thin", number=3)
    write_series(folder, stored[:, :, :5], AXIAL, description="thick", number=4)
    scan = told(a_reader, folder, tmp_path, stack=2)
    assert np.array_equal(scan.volume.array, stored[:, :, :5])
    assert scan.stack == 2
    assert scan.stacks == ("'thin' (CT, 8 slices)", "'thick' (CT, 5 slices)")
    assert scan.notes == ()  # whoever asks says what else is there
    heard = []
    a_reader.picture(folder, within=tmp_path, done=heard.append, failed=lambda *_told: None)
    while a_reader.busy:
        a_reader.pump()
    assert heard[0].startswith("data:image/png;base64,")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path, a_reader, stored):
    secret, inside = tmp_path / "secret", tmp_path / "app" / "case"
    files = write_series(secret, stored, AXIAL)
    inside.mkdir(parents=True)
    for file in files:
        (inside / file.name).symlink_to(file)
    sentence = told(a_reader, inside, tmp_path / "app")
    assert "holds no DICOM slices" in sentence
    write_volume(Volume(array=stored, grid=Grid(shape=SHAPE, affine=AXIAL)), secret / "ct.nii.gz")
    link = tmp_path / "app" / "ct.nii.gz"
    link.symlink_to(secret / "ct.nii.gz")
    assert told(a_reader, link, tmp_path / "app") == (
        "ct.nii.gz lies outside the folder app; it was not read."
    )


def test_what_ends_a_reader_is_told_in_a_sentence():
    assert cause_of_death(-14, "") == (
        "{name} was not read to its end within five minutes; it is damaged, or far too large: "
        "export it again."
    )
    assert cause_of_death(-11, "").startswith(
        "{name} could not be read: its reader crashed or ran out of memory."
    )
    assert "package numpy is missing" in cause_of_death(1, "No module named 'numpy'")
