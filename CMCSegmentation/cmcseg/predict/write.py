"""The files of a prediction, per role and as one JSON summary."""

import json
from pathlib import Path

from cmcseg.core.atomic_write import write_whole
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelTable
from cmcseg.core.prediction import Prediction
from cmcseg.core.volume import Volume
from cmcseg.imaging.dicom_seg import seg_obstacle, write_dicom_seg
from cmcseg.imaging.files import is_series, series_files, write_label_map, write_share
from cmcseg.imaging.seg_nrrd import write_seg_nrrd

REPORT = "report.html"


def former_files(folder: Path, roles: tuple[str, ...]) -> tuple[str, ...]:
    """What an earlier prediction left in a folder, as its ``prediction.json`` says.

    Args:
        folder: need not exist.
        roles: of the scans whose results are to come there.

    Raises:
        BadInput: when something else has a name that the new results need.
    """
    try:
        known = tuple(json.loads((folder / "prediction.json").read_text("utf-8"))["scans"])
    except (OSError, ValueError, TypeError, KeyError):
        known = ()
    mine = _names(known) if known else ()
    foreign = [name for name in _names(roles) if name not in mine and (folder / name).exists()]
    if foreign:
        raise BadInput(
            f"{folder} holds {foreign[0]}, which is not from an earlier run; give another folder."
        )
    return mine


def _names(roles: tuple[str, ...]) -> tuple[str, ...]:
    kinds = ("_labels.nii.gz", "_doubt.nii.gz", ".seg.nrrd", "_seg.dcm")
    files = (f"{role}{kind}" for role in roles for kind in kinds)
    return (*files, "prediction.json", REPORT)


def write_prediction(
    prediction: Prediction,
    volumes: dict[str, Volume],
    sources: dict[str, Path],
    folder: Path,
) -> dict:
    """Write label maps, doubt, ``.seg.nrrd``, DICOM SEG where the scan was DICOM, and the summary.

    Args:
        prediction: what was found.
        volumes: the scans by role.
        sources: the file or DICOM folder that each scan came from.
        folder: an existing folder.

    Returns:
        The content of ``prediction.json``.

    Raises:
        BadInput: when a file cannot be written.
    """
    for role, label_map in prediction.labels.items():
        write_label_map(label_map, folder / f"{role}_labels.nii.gz")
        # Nobody sees finer steps, and so the file is small.
        write_share(prediction.doubt[role], folder / f"{role}_doubt.nii.gz")
        write_seg_nrrd(label_map, folder / f"{role}.seg.nrrd", role)
    # What is finished must not be lost by what only some PACS want, so it comes last.
    lost = [_write_seg(prediction, role, sources[role], folder) for role in prediction.labels]
    content = summary(prediction, volumes, sources)
    known = content["warnings"]
    content["warnings"] = [*known, *(told for told in lost if told and told not in known)]
    text = json.dumps(content, indent=1)
    write_whole(folder / "prediction.json", text + "\n")
    return content


def seg_warnings(table: LabelTable, sources: dict[str, Path]) -> list[str]:
    """A sentence for every DICOM series beside which no DICOM SEG can be written.

    Known before anything is computed; ``write_prediction`` says the same afterwards.
    """
    rows = {role: seg_obstacle(table, series_files(path)) for role, path in _series(sources)}
    return [_no_seg(role, reason) for role, reason in rows.items() if reason]


def _series(sources: dict[str, Path]) -> list[tuple[str, Path]]:
    return [(role, path) for role, path in sources.items() if is_series(path)]


def _write_seg(prediction: Prediction, role: str, source: Path, folder: Path) -> str:
    """Write a DICOM SEG where the scan was DICOM; why it could not be, else empty."""
    if not is_series(source):
        return ""
    try:
        write_dicom_seg(
            prediction.labels[role],
            series_files(source),
            folder / f"{role}_seg.dcm",
            algorithm=prediction.model,
            version=prediction.version,
        )
    except (BadInput, MemoryError) as error:
        return _no_seg(role, str(error) or "The memory is full.")
    return ""


def _no_seg(role: str, reason: str) -> str:
    return f"No DICOM SEG is written for the {role} scan; the other files are. {reason}"


def summary(prediction: Prediction, volumes: dict[str, Volume], sources: dict[str, Path]) -> dict:
    """What a prediction says beside its voxels, ready for JSON."""
    alignment = prediction.alignment
    return {
        "model": prediction.model,
        "version": prediction.version,
        "sha256": prediction.sha256,
        "scans": {
            role: {"path": str(sources[role]), **volumes[role].facts} for role in prediction.labels
        },
        "alignment": alignment.to_dict() if alignment else None,
        "volumes_ml": {
            role: {organ: round(ml, 3) for organ, ml in label_map.volumes_ml().items()}
            for role, label_map in prediction.labels.items()
        },
        "seconds": {stage: round(s, 3) for stage, s in prediction.seconds.items()},
        "device": prediction.device,
        "precision": prediction.precision,
        "peak_mb": {where: round(mb, 1) for where, mb in prediction.peak_mb.items()},
        "warnings": list(prediction.warnings),
    }
