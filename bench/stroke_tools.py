"""What a user has without smart correction: painting, and two effects of Slicer's own."""

import numpy as np
import SimpleITK as sitk
import slicer
import vtk
from vtk.util import numpy_support

BRUSH_MM = 3.0  # diameter
RIM_MM = 4.0  # of an organ, not sure enough to be a seed


def paint(case):
    """A brush of a stroke's width, in the plane of the stroke."""

    def one(now, mark, earlier):  # noqa: ARG001
        return filled_in(case, now, mark, brushed(case, mark))

    return one


def grow(case):
    """Slicer's Grow from seeds, over the sure inside of the present result and all strokes."""
    image = vtk_image(case.memory.image.astype(np.float32))

    def one(now, mark, earlier):
        background = len(case.table) + 1
        seeds = np.zeros(now.shape, dtype=np.uint8)
        for value in (0, *(label.value for label in case.table)):
            seeds[away_from_rim(case.found == value, case.grid)] = value or background
        for stroke in (*earlier, mark):
            where = brushed(case, stroke)
            if stroke.is_organ:
                seeds[where] = stroke.value
            else:  # a user would say what it is
                seeds[where] = np.where(case.truth[where] == 0, background, case.truth[where])
        cut = slicer.vtkImageGrowCutSegment()
        cut.SetIntensityVolume(image)
        cut.SetSeedLabelVolume(vtk_image(seeds))
        cut.Update()
        grown = array_of(cut.GetOutput(), now.shape)
        return np.where(grown == background, 0, grown).astype(np.uint8)

    return one


def fill_between(case):
    """Painting, and Slicer's Fill between slices over all strokes of that kind."""

    def one(now, mark, earlier):
        kind = [m for m in (*earlier, mark) if (m.value, m.is_organ) == (mark.value, mark.is_organ)]
        painted = np.zeros(now.shape, dtype=np.uint8)
        for stroke in kind:
            painted[brushed(case, stroke)] = 1
        between = slicer.vtkITKMorphologicalContourInterpolator()
        between.SetInputData(vtk_image(painted.astype(np.int16)))
        between.SetAxis(mark.normal(case.grid))
        between.SetLabel(1)
        between.Update()
        return filled_in(case, now, mark, array_of(between.GetOutput(), now.shape) > 0)

    return one


def filled_in(case, now, mark, where):
    """The result with a mask given to the organ, or taken from it."""
    out = now.copy()
    if mark.is_organ:
        out[where] = mark.value
    else:  # a user would paint what it is
        there = where & (now == mark.value)
        out[there] = np.where(case.truth[there] == mark.value, 0, case.truth[there])
    return out


def brushed(case, mark):
    """A stroke as wide as the brush, in its plane."""
    normal = mark.normal(case.grid)
    radius = [0 if a == normal else int(BRUSH_MM / 2 / s) for a, s in enumerate(case.grid.spacing)]
    steps = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in radius], indexing="ij"), -1)
    steps = steps.reshape(-1, 3)
    steps = steps[np.linalg.norm(steps * case.grid.spacing, axis=1) <= BRUSH_MM / 2]
    places = (mark.voxels[:, None] + steps[None]).reshape(-1, 3)
    places = places[((places >= 0) & (places < case.grid.shape)).all(axis=1)]
    mask = np.zeros(case.grid.shape, dtype=bool)
    mask[tuple(places.T)] = True
    return mask


def away_from_rim(mask, grid):
    """The part of a mask that lies deeper than the rim in its plane."""
    image = sitk.GetImageFromArray(mask.transpose(2, 1, 0).astype(np.uint8))
    radius = [max(1, round(RIM_MM / s)) for s in grid.spacing]
    radius[int(np.argmax(grid.spacing))] = 0
    return (
        sitk.GetArrayFromImage(sitk.BinaryErode(image, radius, sitk.sitkBall)).transpose(2, 1, 0)
        > 0
    )


def vtk_image(array):
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape)
    flat = np.ascontiguousarray(array.transpose(2, 1, 0)).ravel()
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(flat, deep=True))
    oriented = slicer.vtkOrientedImageData()
    oriented.DeepCopy(image)
    return oriented


def array_of(image, shape):
    numbers = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return numbers.reshape(shape[::-1]).transpose(2, 1, 0)
