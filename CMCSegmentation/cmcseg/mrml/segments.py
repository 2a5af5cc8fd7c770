"""Label maps and segmentation nodes: names, colours, terminology and voxels."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from cmcseg.core.errors import CMCSegError
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Code, Label, LabelTable
from cmcseg.core.steps import Steps, finish
from cmcseg.mrml.geometry import to_numpy, to_vtk
from cmcseg.mrml.voxels import box_of, image_in_steps
from cmcseg.session.i18n import _

BINARY, SURFACE = "Binary labelmap", "Closed surface"  # Slicer's names of representations
TYPES = "Segmentation category and type - DICOM master list"
REGIONS = "Anatomic codes - DICOM master list"


def terminology(label: Label) -> str:
    """Slicer's terminology entry: context, category, type, side, and no region."""
    if label.code is None:
        return ""
    parts = [TYPES, *map(_code, (label.category, label.code, label.side))]
    return "~".join([*parts, REGIONS, _code(None), _code(None)])


def put_labels(
    node: slicer.vtkMRMLSegmentationNode, array: np.ndarray, grid: Grid, table: LabelTable
) -> Steps[None]:
    """Make the table's organs in a segmentation node be exactly those of an array.

    ``layer_of`` in steps, then ``put_layer``: nothing is changed before the last step.
    """
    put_layer(node, (yield from layer_of(array, grid)), table)


def layer_of(array: np.ndarray, grid: Grid) -> Steps[slicer.vtkOrientedImageData]:
    """A label map as Slicer keeps it, cut to what is not empty; it belongs to no node yet.

    Args:
        array: ``(I, J, K)`` uint8.
        grid: the scan's own grid, without parent transforms.
    """
    box = yield from box_of(array)
    low, high = box or (np.zeros(3, dtype=int), np.ones(3, dtype=int))  # a segment needs a voxel
    return (yield from _oriented(array, low, high, grid))


def put_layer(
    node: slicer.vtkMRMLSegmentationNode, image: slicer.vtkOrientedImageData, table: LabelTable
) -> None:
    """Make the table's organs in a segmentation node be those of a layer, at once.

    Segments that are not the table's are left as they are; all organs share one label map, so
    the cost does not grow with their number.

    Args:
        node: in the scene; its parent transform must be the scan's.
        image: what ``layer_of`` made.
        table: what the values mean.

    Raises:
        CMCSegError: when Slicer does not take the segments.
    """
    image.Modified()  # what is older than a saved state, Slicer's undo takes for a part of it
    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(BINARY)
    ours = {label.value: segment_id(segmentation, label.name) for label in table}
    _leave_shared_layers(segmentation, {key for key in ours.values() if key})
    for label in table:
        key = ours[label.value]
        segment = segmentation.GetSegment(key) if key else slicer.vtkSegment()
        segment.SetLabelValue(label.value)
        segment.AddRepresentation(BINARY, image)
        if key:
            continue
        segment.SetName(label.name)
        segment.SetColor(*label.rgb)
        if entry := terminology(label):
            segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), entry)
        if not segmentation.AddSegment(segment, label.name):
            sentence = _("Slicer did not take the segment {name}; restart it.")
            raise CMCSegError(sentence.format(name=label.name))
    segmentation.InvalidateNonSourceRepresentations()
    node.Modified()


def get_labels(node: slicer.vtkMRMLSegmentationNode, grid: Grid, table: LabelTable) -> np.ndarray:
    """As ``labels_of``, at once."""
    return finish(labels_of(node, grid, table))


def labels_of(
    node: slicer.vtkMRMLSegmentationNode, grid: Grid, table: LabelTable
) -> Steps[np.ndarray]:
    """``grid.shape`` uint8: the table's organs as they are drawn now; later segments lie on top.

    Args:
        node: the segmentation.
        grid: the scan's own grid, without parent transforms.
        table: the organs wanted; other segments are left out.
    """
    out = np.zeros(grid.shape, dtype=np.uint8, order="F")
    for image, values in _layers(node, table):
        drawn, low = _on_grid(image, grid)
        for k in range(drawn.shape[2]):
            _paste(out, values[drawn[:, :, k : k + 1]], low + np.array([0, 0, k]))
            yield
    return out


def drawn_part(
    node: slicer.vtkMRMLSegmentationNode, grid: Grid, table: LabelTable
) -> tuple[np.ndarray, np.ndarray]:
    """The box that holds the table's organs, ``(I, J, K)`` uint8, and its first index on the grid.

    Where the organs share a layer of their own, as ``put_labels`` leaves them, it is a view of that
    layer: nothing is copied, and it is good until somebody draws.
    """
    if layer := own_layer(node, grid, table):
        _image, numbers, low = layer
        first = np.clip(low, 0, grid.shape)
        last = np.clip(low + numbers.shape, first, grid.shape)
        return numbers[tuple(map(slice, first - low, last - low))], first
    return get_labels(node, grid, table), np.zeros(3, dtype=int)


def own_layer(
    node: slicer.vtkMRMLSegmentationNode, grid: Grid, table: LabelTable
) -> tuple[slicer.vtkOrientedImageData, np.ndarray, np.ndarray] | None:
    """The one label map that holds the table's organs and nothing else, under the table's values.

    Returns:
        The image, a view ``(I, J, K)`` of its numbers, and its first index on the grid; None when
        the organs lie in several layers, on another grid, or beside others.
    """
    layers = _layers(node, table)
    if len(layers) != 1:
        return None
    image, values = layers[0]
    known = np.zeros(256, np.uint8)
    for label in table:
        known[label.value] = label.value
    shared = sum(
        node.GetSegmentation().GetSegment(key).GetRepresentation(BINARY) is image
        for key in node.GetSegmentation().GetSegmentIDs()
    )
    if shared != len(table) or image.GetScalarType() != vtk.VTK_UNSIGNED_CHAR:
        return None
    if not np.array_equal(values, known) or not _on_same_axes(image, grid):
        return None
    numbers, low = _on_grid(image, grid)
    return image, numbers, low


def _layers(
    node: slicer.vtkMRMLSegmentationNode, table: LabelTable
) -> list[tuple[slicer.vtkOrientedImageData, np.ndarray]]:
    """Label maps that hold the table's organs, each with the table's value of each of its numbers.

    Segments of one layer follow each other; later layers lie on top.
    """
    segmentation = node.GetSegmentation()
    layers: dict[str, tuple[vtk.vtkImageData, np.ndarray]] = {}
    for label in table:
        segment = segmentation.GetSegment(segment_id(segmentation, label.name))
        image = segment.GetRepresentation(BINARY) if segment else None
        if image is None or image.GetPointData().GetScalars() is None or _is_empty(image):
            continue
        key = image.GetAddressAsString("")
        _, values = layers.setdefault(key, (image, np.zeros(256, np.uint8)))
        values[segment.GetLabelValue()] = label.value
    return list(layers.values())


def segment_id(segmentation: slicer.vtkSegmentation, organ: str) -> str:
    """Id of an organ's segment, also when the user renamed it; empty when there is none."""
    if segmentation.GetSegment(organ) is not None:
        return organ
    return segmentation.GetSegmentIdBySegmentName(organ)


def _leave_shared_layers(segmentation: slicer.vtkSegmentation, ours: set[str]) -> None:
    """Take our voxels out of label maps that segments of the user's own live in as well."""
    keys = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    foreign = {}
    for key in set(keys) - ours:
        if image := segmentation.GetSegment(key).GetRepresentation(BINARY):
            foreign[image.GetAddressAsString("")] = image
    for key in ours:
        segment = segmentation.GetSegment(key)
        image = segment.GetRepresentation(BINARY)
        if image is not None and image.GetAddressAsString("") in foreign and not _is_empty(image):
            numbers = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
            numbers[numbers == segment.GetLabelValue()] = 0
            image.Modified()


def _oriented(
    array: np.ndarray, low: np.ndarray, high: np.ndarray, grid: Grid
) -> Steps[slicer.vtkOrientedImageData]:
    """A label map of the box that is not empty, as Slicer itself keeps them."""
    part = yield from image_in_steps(array[tuple(map(slice, low, high))])
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*np.stack([low, high - 1], axis=1).ravel().tolist())
    image.GetPointData().SetScalars(part.GetPointData().GetScalars())
    image.SetGeometryFromImageToWorldMatrix(to_vtk(grid.affine))
    return image


def _on_grid(image: slicer.vtkOrientedImageData, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """A layer's numbers ``(I, J, K)`` and their first index on the grid."""
    if not _on_same_axes(image, grid):
        image = _regridded(image, grid)
        shift = np.zeros(3)
    else:
        shift = grid.index(to_numpy(_placed(image))[:3, 3])
    extent = np.array(image.GetExtent()).reshape(3, 2)
    shape = extent[:, 1] - extent[:, 0] + 1
    numbers = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return numbers.reshape(shape[::-1]).transpose(2, 1, 0), extent[:, 0] + np.round(shift).astype(
        int
    )


def _on_same_axes(image: slicer.vtkOrientedImageData, grid: Grid) -> bool:
    """Whether a layer's voxels are voxels of the grid."""
    matrix = to_numpy(_placed(image))
    shift = grid.index(matrix[:3, 3])
    same = np.allclose(matrix[:3, :3], grid.affine[:3, :3], atol=1e-4)
    return bool(same and np.abs(shift - np.round(shift)).max() <= 1e-3)


def _placed(image: slicer.vtkOrientedImageData) -> vtk.vtkMatrix4x4:
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return matrix


def _regridded(image: slicer.vtkOrientedImageData, grid: Grid) -> slicer.vtkOrientedImageData:
    """The user edited in another geometry (finer voxels, say): back to the scan's, by nearest."""
    reference, result = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
    reference.SetExtent(*np.stack([np.zeros(3, int), np.array(grid.shape) - 1], 1).ravel().tolist())
    reference.SetGeometryFromImageToWorldMatrix(to_vtk(grid.affine))
    reference.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    done = slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        image, reference, result
    )
    if not done:
        sentence = _("Slicer could not resample the segmentation to the scan's voxels.")
        raise CMCSegError(sentence)
    return result


def _paste(out: np.ndarray, part: np.ndarray, low: np.ndarray) -> None:
    """Put what is above 0 in its place; what sticks out of the scan is cut off."""
    first = np.clip(low, 0, out.shape)
    last = np.clip(low + part.shape, 0, out.shape)
    if (first >= last).any():
        return
    target = out[tuple(map(slice, first, last))]
    inside = part[tuple(map(slice, first - low, last - low))]
    np.copyto(target, inside, where=inside > 0)


def _is_empty(image: vtk.vtkImageData) -> bool:
    extent = image.GetExtent()
    return any(extent[axis] > extent[axis + 1] for axis in (0, 2, 4))


def _code(code: Code | None) -> str:
    return f"{code.scheme}^{code.value}^{code.meaning}" if code else "^^"
