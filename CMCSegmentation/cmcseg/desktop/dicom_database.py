"""Slicer's own database: where the images of a scan lie, and organs as DICOM SEG beside them."""

import tempfile
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from cmcseg.core.errors import BadInput, CMCSegError

FOLDER = "CMCSeg"  # within the database's


def file_of(image: str) -> str:
    """The file of a DICOM image by its UID; empty where the database does not know it."""
    database = getattr(slicer, "dicomDatabase", None)
    return (database.fileForInstance(image) or "") if database else ""


def keep_in_database(segmentations: list[str]) -> None:
    """Write segmentations of scans that came from the database back into it.

    Slicer 5.12 writes them itself; with earlier ones the QuantitativeReporting extension does.

    Args:
        segmentations: node IDs.

    Raises:
        BadInput: when this Slicer writes no DICOM SEG, or has no database open.
        CMCSegError: with Slicer's own sentence, when a file cannot be written.
    """
    kind = getattr(slicer.modules, "dicomPlugins", {}).get("DICOMSegmentationPlugin")
    database = getattr(slicer, "dicomDatabase", None)
    if kind is None or database is None:
        raise BadInput(
            _(
                "This Slicer writes no DICOM SEG; open its DICOM module once, and in Slicer before "
                "5.12 install the extension QuantitativeReporting."
            )
        )
    folder = Path(database.databaseDirectory) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    exporter = kind()
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    for key in segmentations:
        node = slicer.mrmlScene.GetNodeByID(key)
        offered = exporter.examineForExport(tree.GetItemByDataNode(node))
        if not offered:
            sentence = _("{} cannot be written as DICOM SEG; its scan is not in the database.")
            raise CMCSegError(sentence.format(node.GetName()))
        # Slicer names the file by the second, so that a folder of two would keep the later alone.
        own = tempfile.mkdtemp(prefix="SEG-", dir=folder)
        for exportable in offered:
            exportable.directory = own
        if trouble := exporter.export(offered):
            raise CMCSegError(trouble)
