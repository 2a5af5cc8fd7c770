"""The user's choices, kept in the scene so that a saved one opens as it was left."""

from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper


@parameterNodeWrapper
class Choices:
    """What stands on the panel.

    Attributes:
        model: name of the model.
        firstScan, secondScan: scans of the model's roles, in the card's order.
        device, align, overlap: see ``core.settings.SegmentSettings``.
        minutes: budget of a fine-tuning.
    """

    model: str = ""
    firstScan: vtkMRMLScalarVolumeNode
    secondScan: vtkMRMLScalarVolumeNode
    # Slicer connects a combo box to nothing but a Choice, and fills the box from it.
    device: Annotated[str, Choice(["auto", "cpu", "cuda", "mps"])] = "auto"
    align: Annotated[str, Choice(["auto", "none", "rigid"])] = "auto"
    overlap: float = 0.25
    minutes: int = 10
