"""Who drew a segment, in the tags that DICOM SEG export reads; without them it was a hand."""

from __future__ import annotations

from collections.abc import Iterable

import slicer

from cmcseg.mrml.segments import segment_id

TYPE, NAME = "DICOM.SegmentAlgorithmType", "DICOM.SegmentAlgorithmName"  # Slicer's own
AUTOMATIC, SEMIAUTOMATIC = "AUTOMATIC", "SEMIAUTOMATIC"  # DICOM's words, tag (0062,0008)


def credit_model(
    node: slicer.vtkMRMLSegmentationNode, organs: Iterable[str], made: dict[str, object]
) -> None:
    """Say that a model drew these organs.

    Args:
        node: the segmentation.
        organs: names of the table's organs.
        made: ``model`` and ``version`` of the prediction.
    """
    name = " ".join(str(made[part]) for part in ("model", "version") if made.get(part))
    for segment in _segments(node, organs):
        segment.SetTag(TYPE, AUTOMATIC)
        segment.SetTag(NAME, name or "CMCSeg")  # without a name the export refuses the segment


def credit_reader(node: slicer.vtkMRMLSegmentationNode, organs: Iterable[str]) -> None:
    """Say that a reader corrected what a model drew; segments of the reader's own stay untagged."""
    for segment in _segments(node, organs):
        if segment.HasTag(NAME):
            segment.SetTag(TYPE, SEMIAUTOMATIC)


def _segments(
    node: slicer.vtkMRMLSegmentationNode, organs: Iterable[str]
) -> list[slicer.vtkSegment]:
    segmentation = node.GetSegmentation()
    found = [segmentation.GetSegment(segment_id(segmentation, organ)) for organ in organs]
    return [segment for segment in found if segment is not None]
