"""The volumes of a scene, as a selector lists them."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from cmcseg.mrml.acquisition_geometry import steps_note
from cmcseg.mrml.subject_hierarchy import modality_of, patient_of, series_of
from cmcseg.session.i18n import _
from cmcseg.session.ports import ScanInfo

OURS = "CMCSeg.kind"  # attribute of every node that we made
IMAGES = "DICOM.instanceUIDs"  # attribute that Slicer's DICOM module gives a volume
SAMPLE = 40_000  # voxels whose 5th percentile tells CT from MR
FAT_HU, AIR_HU = -60.0, -1000.0


def scan_info(node: slicer.vtkMRMLVolumeNode, dark: float | None = None) -> ScanInfo:
    """What a list shows of a volume; ``dark`` is its ``dark_end`` where that is known."""
    refusal = refusal_of(node)
    if dark is None:
        dark = 0.0 if refusal else dark_end(node)
    return ScanInfo(
        key=node.GetID(),
        name=node.GetName() or node.GetID(),
        modality=modality_of(node),
        series=series_of(node),
        patient=patient_of(node),
        refusal=refusal,
        note="" if refusal else steps_note(node),
        dark=dark,
        images=tuple((node.GetAttribute(IMAGES) or "").split()),
    )


def is_scan(node: slicer.vtkMRMLNode) -> bool:
    """Whether a node is a volume of the user's, wherever it can be segmented or not."""
    return (
        node.IsA("vtkMRMLVolumeNode")
        and not node.IsA("vtkMRMLLabelMapVolumeNode")
        and not node.GetHideFromEditors()
        and not node.GetAttribute(OURS)
    )


def refusal_of(node: slicer.vtkMRMLNode) -> str:
    """One sentence saying why a volume cannot be segmented, or empty."""
    name = node.GetName()
    if node.IsA("vtkMRMLSequenceNode"):
        return _("{name} is a sequence of volumes; choose a single volume.").format(name=name)
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        return _("{name} holds no image; load it again.").format(name=name)
    components = image.GetNumberOfScalarComponents()
    if components != 1:
        sentence = _(
            "{name} holds {count} numbers per voxel (colour, or a vector); choose a scan with one."
        )
        return sentence.format(name=name, count=components)
    if min(image.GetDimensions()) < 2:
        return _("{name} is a single slice; choose a scan with several.").format(name=name)
    if is_frame(node):
        sentence = _(
            "{name} is the frame of a sequence that is shown just now; copy the frame into a "
            "volume of its own first."
        )
        return sentence.format(name=name)
    low, high = _ends(image)
    if not (np.isfinite(low) and np.isfinite(high)):
        sentence = _("{name} holds NaN or infinity; replace them, for example by the value of air.")
        return sentence.format(name=name)
    if low == high:
        sentence = _(
            "{name} holds the same number ({number:g}) in every voxel, so there is nothing to see; "
            "load the scan again."
        )
        return sentence.format(name=name, number=low)
    return ""


def _ends(image: vtk.vtkImageData) -> tuple[float, float]:
    """Lowest and highest number; of whole numbers that differ, those of a sample.

    All that is asked is whether they differ and are finite, and looking through a large scan stops
    the window for half a second.
    """
    numbers = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    if numbers.dtype.kind != "f":
        sample = numbers[:: max(1, len(numbers) // SAMPLE)]
        if sample.min() != sample.max():
            return float(sample.min()), float(sample.max())
    return image.GetScalarRange()


def is_frame(node: slicer.vtkMRMLVolumeNode) -> bool:
    """Whether a sequence browser changes this volume's content."""
    scene = node.GetScene()
    count = scene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode")
    browsers = [scene.GetNthNodeByClass(n, "vtkMRMLSequenceBrowserNode") for n in range(count)]
    return any(browser.IsProxyNodeID(node.GetID()) for browser in browsers)


def dark_end(node: slicer.vtkMRMLVolumeNode) -> float:
    """The 5th percentile of a sample of the voxels."""
    numbers = numpy_support.vtk_to_numpy(node.GetImageData().GetPointData().GetScalars())
    sample = numbers[:: max(1, len(numbers) // SAMPLE)]
    place = len(sample) // 20
    # Not numpy's percentile: it imports a tenth of a second's worth of numpy at its first call.
    return float(np.partition(sample, place)[place])


def outside_value(node: slicer.vtkMRMLVolumeNode) -> float:
    """What lies beyond the scan: air for a CT, the darkest value for anything else."""
    modality = modality_of(node)
    if modality == "CT" or (not modality and dark_end(node) < FAT_HU):
        return AIR_HU
    return node.GetImageData().GetScalarRange()[0]
