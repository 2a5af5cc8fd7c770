"""Every way a user can get it wrong: exit code 2, one sentence, and nothing left behind."""

import errno
import gzip
import json
import re
import struct
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from cmcseg.cli import main
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.core.whole_folder import new_folder
from cmcseg.imaging import files
from cmcseg.imaging.files import write_volume
from dicom_phantom import write_series
from tiny import tiny_bundle

SHAPE = (24, 22, 12)
AFFINE = np.diag([4.0, 4.0, 6.0, 1.0])


def voxels(shape=SHAPE, low=-1000):
    return np.random.default_rng(0).integers(low, 300, shape).astype(np.int16)


@pytest.fixture
def a_model(tmp_path):
    return tiny_bundle(tmp_path / "model")


def a_scan(path, shift_mm=0.0, low=-1000):
    affine = AFFINE.copy()
    affine[0, 3] = shift_mm
    volume = Volume(array=voxels(low=low), grid=Grid(shape=SHAPE, affine=affine))
    write_volume(volume, path)
    return path


def segment(model, *arguments):
    main(["segment", "--model", str(model), *map(str, arguments)])


def refused(capsys, run):
    """The one sentence on the error stream of a command that ends with exit code 2."""
    with pytest.raises(SystemExit) as stop:
        run()
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    told = printed.err.strip().splitlines()[-1]  # above it may stand the progress bar
    assert re.search(r"[.?]$", told), told
    assert "Traceback" not in printed.err
    return told


# Files that are no scan


def truncated(path):
    path.write_bytes(a_scan(path).read_bytes()[:-400])


def text(path):
    path.write_text("not an image")


def saved(array, affine=AFFINE):
    def make(path):
        nibabel.save(nibabel.Nifti1Image(array, affine), path)

    return make


def with_header(offset, layout, *values):
    """A sound file whose header says something else."""

    def make(path):
        data = bytearray(gzip.decompress(a_scan(path).read_bytes()))
        struct.pack_into(layout, data, offset, *values)
        path.write_bytes(gzip.compress(bytes(data)))

    return make


def spacing(value):
    """The second axis' spacing, and no matrix that could say otherwise."""

    def make(path):
        data = bytearray(gzip.decompress(a_scan(path).read_bytes()))
        struct.pack_into("<f", data, 84, value)
        struct.pack_into("<h", data, 254, 0)
        path.write_bytes(gzip.compress(bytes(data)))

    return make


SHEARED = AFFINE + np.array([[0, 2.0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
HOLED = np.where(voxels() < -990, np.nan, voxels()).astype(np.float32)
BOUNDLESS = np.where(voxels() < -990, np.inf, voxels()).astype(np.float32)

NO_SCANS = {
    "truncated": (truncated, "is damaged or was cut short"),
    "text": (text, "is not a NIfTI image, although its name says so"),
    "flat": (saved(voxels((24, 22))), r"is 2-D \(24 x 22\), not a 3-D scan"),
    "film": (saved(voxels((8, 8, 8, 5))), "is 4-D with 5 frames"),
    "one slice": (saved(voxels((24, 22, 1))), "has a single slice along axis k"),
    "constant": (saved(np.full(SHAPE, 7, np.int16)), r"holds the same number \(7\) in every voxel"),
    "holed": (saved(HOLED), "holds NaN or infinity in 54 of 6,336 voxels"),
    "boundless": (saved(BOUNDLESS), "holds NaN or infinity in 54 of 6,336 voxels"),
    "no spacing": (spacing(0.0), "has the voxel spacing 4 x 0 x 6 mm"),
    "negative spacing": (spacing(-4.0), "has the voxel spacing 4 x -4 x 6 mm"),
    "sheared": (saved(voxels(), SHEARED), r"not at right angles \(sheared by 26.6 degrees"),
    "promises": (
        with_header(42, "<3h", 32000, 32000, 32000),
        r"promises 32000 x 32000 x 32000 voxels \(65.5 TB\), but the file holds only",
    ),
}


@pytest.mark.parametrize("kind", NO_SCANS)
def test_a_file_that_is_no_scan_is_refused_by_name(tmp_path, a_model, capsys, kind):
    make, words = NO_SCANS[kind]
    path = tmp_path / "scan ü 1.nii.gz"
    make(path)
    out = tmp_path / "out"
    told = refused(capsys, lambda: segment(a_model, f"ct={path}", "--out", out))
    assert path.name in told
    assert re.search(words, told), told
    assert {p.name for p in tmp_path.iterdir()} == {"model", path.name}


# Pairs that are none


def test_scans_that_share_no_space_are_refused_with_their_distance(tmp_path, a_model, capsys):
    ct, mr = a_scan(tmp_path / "ct.nii.gz"), a_scan(tmp_path / "mr.nii.gz", 812.0, low=0)
    told = refused(
        capsys,
        lambda: segment(a_model, f"ct={ct}", f"mr={mr}", "--out", tmp_path / "o"),
    )
    assert "812 mm apart" in told
    assert "same patient" in told
    assert not (tmp_path / "o").exists()


def test_one_scan_in_two_files_is_refused(tmp_path, a_model, capsys):
    one, two = a_scan(tmp_path / "a.nii.gz"), a_scan(tmp_path / "b.nii.gz")
    told = refused(
        capsys,
        lambda: segment(a_model, f"ct={one}", f"mr={two}", "--out", tmp_path / "o"),
    )
    assert told == "The same scan was given as ct and as mr; give two scans, or one."


def test_swapped_roles_are_a_warning_not_a_refusal(tmp_path, a_model, capsys):
    ct, mr = a_scan(tmp_path / "ct.nii.gz"), a_scan(tmp_path / "mr.nii.gz", 3.0, low=0)
    segment(a_model, f"ct={mr}", f"mr={ct}", "--out", tmp_path / "o", "--json")
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    doubts = [sentence for sentence in warnings if sentence.endswith("Are the roles swapped?")]
    assert len(doubts) == 2
    assert doubts[0].startswith("The scan given as CT has hardly any negative values")


# DICOM folders


def test_a_folder_without_slices_is_refused(tmp_path, a_model, capsys):
    (tmp_path / "series").mkdir()
    told = refused(
        capsys, lambda: segment(a_model, f"ct={tmp_path / 'series'}", "--out", tmp_path / "o")
    )
    assert "series" in told
    assert "DICOM" in told


def test_two_patients_in_one_folder_are_refused(tmp_path, a_model, capsys):
    series = tmp_path / "series"
    write_series(series, voxels(), AFFINE, patient="anna", number=1)
    write_series(series, voxels(), AFFINE, patient="bert", number=2)
    told = refused(capsys, lambda: segment(a_model, f"ct={series}", "--out", tmp_path / "o"))
    assert told.endswith("holds scans of more than one patient; give each its own folder.")
    assert "anna" not in told


# Places that cannot be written


def test_a_file_in_the_place_of_the_results_is_refused_and_kept(tmp_path, a_model, capsys):
    ct, out = a_scan(tmp_path / "ct.nii.gz"), tmp_path / "out"
    out.write_text("mine")
    told = refused(capsys, lambda: segment(a_model, f"ct={ct}", "--out", out))
    assert told == f"{out} is a file, not a folder; give another place for the results."
    assert out.read_text() == "mine"
    assert {p.name for p in tmp_path.iterdir()} == {"model", "ct.nii.gz", "out"}


def test_a_place_below_a_file_is_refused(tmp_path, a_model, capsys):
    ct = a_scan(tmp_path / "ct.nii.gz")
    told = refused(capsys, lambda: segment(a_model, f"ct={ct}", "--out", ct / "deep" / "out"))
    assert told == f"{ct} is a file, not a folder; give another place for the results."


def test_a_refusal_in_the_middle_of_the_work_stands_alone(tmp_path, a_model, capsys):
    ct, wrong = a_scan(tmp_path / "ct.nii.gz"), ["--device", "gpu"]
    with pytest.raises(SystemExit):
        segment(a_model, f"ct={ct}", "--out", tmp_path / "o", *wrong)
    told = "The device 'gpu' is not one of auto, cpu, cuda, cuda:N, mps."
    assert capsys.readouterr().err.strip() == told  # and no half-drawn progress bar above it


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, a_model, capsys, monkeypatch):
    ct = a_scan(tmp_path / "ct.nii.gz")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.nifti, "write", full)
    told = refused(capsys, lambda: segment(a_model, f"ct={ct}", "--out", tmp_path / "out"))
    assert "No space left on device" in told
    assert {p.name for p in tmp_path.iterdir()} == {"model", "ct.nii.gz"}


def test_results_are_renewed_and_foreign_files_stay(tmp_path, a_model, capsys):
    ct, mr = a_scan(tmp_path / "ct.nii.gz"), a_scan(tmp_path / "mr.nii.gz", 3.0, low=0)
    out = tmp_path / "out"
    segment(a_model, f"ct={ct}", f"mr={mr}", "--out", out)
    (out / "notes.txt").write_text("mine")
    segment(a_model, f"ct={ct}", "--out", out)
    capsys.readouterr()
    assert list(json.loads((out / "prediction.json").read_text())["scans"]) == ["ct"]
    # The MR's results went with the run they belonged to.
    assert {p.name for p in out.iterdir()} == {
        "ct_labels.nii.gz",
        "ct.seg.nrrd",
        "ct_doubt.nii.gz",
        "prediction.json",
        "report.html",
        "notes.txt",
    }
    assert {p.name for p in tmp_path.iterdir()} == {"model", "ct.nii.gz", "mr.nii.gz", "out"}


def test_a_label_map_of_ones_own_is_never_overwritten(tmp_path, a_model, capsys):
    ct, own = a_scan(tmp_path / "ct.nii.gz"), tmp_path / "ct_labels.nii.gz"
    own.write_text("drawn by hand")
    told = refused(capsys, lambda: segment(a_model, f"ct={ct}", "--out", tmp_path))
    assert told.endswith(
        "holds ct_labels.nii.gz, which is not from an earlier run; give another folder."
    )
    assert own.read_text() == "drawn by hand"


def test_results_are_exchanged_whole_or_not_at_all(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("a", "b", "foreign"):
        (out / name).write_text("old")
    rename, calls = Path.rename, []

    def failing(path, target):
        calls.append(path)
        if len(calls) == 4:  # after both old files and the first new one were moved
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, target)

    def renewed():
        with new_folder(out, ("a", "b")) as draft:
            (draft / "a").write_text("new")
            (draft / "c").write_text("new")
            monkeypatch.setattr(Path, "rename", failing)

    with pytest.raises(BadInput, match="cannot be written: Input/output error"):
        renewed()
    assert {p.name: p.read_text() for p in out.iterdir()} == {
        "a": "old",
        "b": "old",
        "foreign": "old",
    }
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


# Models


def test_an_unknown_model_is_refused_with_the_names_there_are(tmp_path, capsys):
    told = refused(capsys, lambda: segment("liver-pet", "ct=a.nii.gz", "--out", tmp_path / "o"))
    assert told.startswith("There is no model 'liver-pet'. There are: abdomen-ct-mr")


@pytest.mark.parametrize("name", ["model.safetensors", "card.json"])
def test_a_model_that_was_tampered_with_is_refused(tmp_path, a_model, capsys, name):
    data = bytearray((a_model / name).read_bytes())
    data[-3] ^= 1
    (a_model / name).write_bytes(bytes(data))
    ct = a_scan(tmp_path / "ct.nii.gz")
    told = refused(capsys, lambda: segment(a_model, f"ct={ct}", "--out", tmp_path / "o"))
    assert name in told


def zipped(folder: Path, path: Path, extra: list[tuple]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
        for info, content in extra:
            archive.writestr(info, content)
    return path


def link():
    info = zipfile.ZipInfo("card2.json")
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ([("../outside.json", b"{}")], r"\.\./outside\.json"),
        ([(link(), b"/etc/passwd")], "card2.json"),
        ([("configs/metadata.json", bytes(200_000_000))], "metadata.json"),
    ],
    ids=["climbs", "link", "bomb"],
)
def test_an_archive_that_could_harm_is_refused(tmp_path, a_model, capsys, extra, words):
    if words == "metadata.json":  # its own entry makes way for the bomb
        (a_model / "configs" / "metadata.json").unlink()
    archive = zipped(a_model, tmp_path / "model.zip", extra)
    told = refused(capsys, lambda: main(["models", "import", str(archive)]))
    assert re.search(words, told), told
    assert not (tmp_path / "outside.json").exists()


def test_a_device_that_nobody_knows_is_refused(tmp_path, a_model, capsys):
    ct = a_scan(tmp_path / "ct.nii.gz")
    told = refused(
        capsys, lambda: segment(a_model, f"ct={ct}", "--out", tmp_path / "o", "--device", "tpu")
    )
    assert told == "The device 'tpu' is not one of auto, cpu, cuda, cuda:N, mps."


def test_an_alignment_that_nobody_knows_is_refused(tmp_path, a_model, capsys):
    ct = a_scan(tmp_path / "ct.nii.gz")
    told = refused(
        capsys, lambda: segment(a_model, f"ct={ct}", "--out", tmp_path / "o", "--align", "best")
    )
    assert told == "Alignment 'best' is not one of auto, none, rigid."


def test_a_way_out_of_no_memory_that_nobody_knows_is_refused(tmp_path, a_model, capsys):
    ct = a_scan(tmp_path / "ct.nii.gz")
    told = refused(
        capsys,
        lambda: segment(a_model, f"ct={ct}", "--out", tmp_path / "o", "--out-of-memory", "x"),
    )
    assert told == "'x' on out-of-memory is not one of smaller, stop."
