"""The subject hierarchy: patients, studies and what belongs to them."""

from __future__ import annotations

import slicer


def modality_of(node: slicer.vtkMRMLNode) -> str:
    """DICOM modality ("CT", "MR") of a volume, or empty."""
    tree, item = _item(node)
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    return (tree.GetItemAttribute(item, name) if item else "") or ""


def series_of(node: slicer.vtkMRMLNode) -> str:
    """What the subject hierarchy calls a volume, where that differs from the node's own name."""
    tree, item = _item(node)
    name = tree.GetItemName(item) if item else ""
    return name if name != node.GetName() else ""


def patient_of(node: slicer.vtkMRMLNode) -> str:
    """Number of the patient's item, which tells patients apart and says nothing of them."""
    tree, item = _item(node)
    level = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelPatient()
    patient = tree.GetItemAncestorAtLevel(item, level) if item else 0
    return str(patient) if patient and patient != tree.GetInvalidItemID() else ""


def set_modality(node: slicer.vtkMRMLNode, modality: str) -> None:
    """Give a volume an item that says what ``modality_of`` tells."""
    tree, item = _item(node)
    item = item or tree.CreateItem(tree.GetSceneItemID(), node)
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    tree.SetItemAttribute(item, name, modality)


def put_beside(node: slicer.vtkMRMLNode, neighbour: slicer.vtkMRMLNode) -> None:
    """Put a node under the study that its neighbour belongs to."""
    tree, beside = _item(neighbour)
    parent = tree.GetItemParent(beside) if beside else tree.GetSceneItemID()
    _, item = _item(node)
    if item:
        tree.SetItemParent(item, parent)
    else:  # outside the desktop program nobody makes items for new nodes
        tree.CreateItem(parent, node)


def _item(node: slicer.vtkMRMLNode) -> tuple[slicer.vtkMRMLSubjectHierarchyNode, int]:
    """The hierarchy and the node's item in it; 0 where it has none."""
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = tree.GetItemByDataNode(node)
    return tree, 0 if item == tree.GetInvalidItemID() else item
