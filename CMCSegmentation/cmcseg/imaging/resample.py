"""Between a scan's own grid and the working grid, in millimetres.

SimpleITK stores arrays as (K, J, I) and positions as LPS; the rest of the project uses (I, J, K)
and RAS. The change happens here and in ``files`` only.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import SimpleITK as sitk

from cmcseg.core.card import GridSpec
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import UNANNOTATED, LabelMap
from cmcseg.imaging.axiswise import Axiswise

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # RAS to LPS and back
# A Gaussian of this many output-minus-input spacings (in quadrature) has the half width of the
# box that one coarse voxel averages over.
BLUR = 0.4


def to_image(array: np.ndarray, grid: Grid) -> sitk.Image:
    """A SimpleITK image of an ``(I, J, K)`` array; the numbers are copied."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    affine = LPS @ grid.affine
    image.SetSpacing(grid.spacing)
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / np.array(grid.spacing)).ravel().tolist())
    return image


def grid_of(image: sitk.Image) -> Grid:
    """The grid of a three-dimensional SimpleITK image."""
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine[:3, :3] = direction * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return Grid(shape=image.GetSize(), affine=LPS @ affine)


def to_array(image: sitk.Image) -> np.ndarray:
    """The ``(I, J, K)`` array of a SimpleITK image; the numbers are copied."""
    return np.ascontiguousarray(sitk.GetArrayFromImage(image).transpose(2, 1, 0))


def resample(
    array: np.ndarray,
    grid: Grid,
    target: Grid,
    *,
    matrix: np.ndarray | None = None,
    fill: float = 0.0,
    smooth: bool = True,
    number: Callable[..., Any] = np.float32,
) -> np.ndarray:
    """Linear interpolation onto another grid.

    Where the axes of both grids are parallel it goes plane by plane and axis by axis; the numbers
    are the same.

    Args:
        array: ``(I, J, K)`` numbers on ``grid``.
        grid: where they lie.
        target: where they are wanted.
        matrix: 4 x 4 rigid RAS matrix from the array's world to the target's; identity if None.
        fill: value outside the array's field of view.
        smooth: blur first along axes that get coarser, so that fine detail does not alias.
        number: makes the float32 numbers that are meant of those in ``array``, voxel by voxel.

    Returns:
        ``target.shape`` float32.
    """
    sigmas = _sigmas(grid, target, matrix) if smooth else (0.0, 0.0, 0.0)
    straight = Axiswise.between(grid, target, _matrix(matrix), sigmas)
    if straight is not None:
        return straight.whole(array, fill, number)
    image = to_image(number(array), grid)
    for axis, sigma in enumerate(sigmas):
        if sigma:
            image = sitk.RecursiveGaussian(image, sigma=sigma, direction=axis)
    return to_array(_resampled(image, target, matrix, sitk.sitkLinear, fill))


def field_of_view(grid: Grid, target: Grid, *, matrix: np.ndarray | None = None) -> np.ndarray:
    """Which voxels of ``target`` lie inside ``grid``; bool of ``target.shape``."""
    to_grid = np.linalg.inv(grid.affine) @ np.linalg.inv(_matrix(matrix)) @ target.affine
    inside = np.ones(target.shape, dtype=bool)
    axes = [np.arange(n, dtype=np.float64) for n in target.shape]
    for row, length in zip(to_grid[:3], grid.shape, strict=True):
        index = (
            row[0] * axes[0][:, None, None]
            + row[1] * axes[1][None, :, None]
            + row[2] * axes[2][None, None, :]
            + row[3]
        )
        inside &= (index >= -0.5) & (index <= length - 0.5)
    return inside


def resample_labels(
    label_map: LabelMap, target: Grid, *, matrix: np.ndarray | None = None
) -> np.ndarray:
    """A dense label map on another grid: every class is resampled on its own, the strongest wins.

    Unlike nearest neighbour this keeps edges smooth and thin structures connected.
    Voxels outside the map's field of view become 0; 255 (not annotated) is a class like others.

    Returns:
        ``target.shape`` uint8.
    """
    best = np.zeros(target.shape, dtype=np.float32)
    labels = np.zeros(target.shape, dtype=np.uint8)
    for value in sorted({0, *np.unique(label_map.array).tolist()}):
        share = _share(label_map, value, target, matrix)
        labels[share > best] = value
        np.maximum(best, share, out=best)
    return labels


def resample_scribbles(
    label_map: LabelMap, target: Grid, *, matrix: np.ndarray | None = None
) -> np.ndarray:
    """A sparse label map on another grid: a line survives where it fills a tenth of a voxel.

    Returns:
        ``target.shape`` uint8; 255 where nobody marked anything.
    """
    best = np.full(target.shape, 0.1, dtype=np.float32)
    labels = np.full(target.shape, UNANNOTATED, dtype=np.uint8)
    for value in sorted(set(np.unique(label_map.array).tolist()) - {UNANNOTATED}):
        share = _share(label_map, value, target, matrix, outside=0.0)
        labels[share > best] = value
        np.maximum(best, share, out=best)
    return labels


def working_grid(spec: GridSpec, grids: list[Grid]) -> Grid:
    """The grid on which the network sees a pair: it covers every scan.

    Args:
        spec: spacing and axes that the model card asks for.
        grids: where the scans lie after alignment; with ``spec.follow_scan`` the first one
            decides the directions.

    Returns:
        A grid with the card's spacing whose box holds all corners of all scans.
    """
    axes = np.array(spec.axes, dtype=np.float64)
    if spec.follow_scan:
        axes = nearest_axes(grids[0].direction, axes)
    corners = np.concatenate([grid.corners() for grid in grids]) @ axes
    low, high = corners.min(axis=0), corners.max(axis=0)
    spacing = np.array(spec.spacing)
    shape = np.maximum(np.ceil((high - low) / spacing - 1e-6), 1).astype(int)
    # The scans sit in the middle of the box, so that a flipped header gives the same voxels.
    start = (low + high) / 2 - (shape - 1) / 2 * spacing
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = axes @ start
    return Grid(shape=tuple(shape.tolist()), affine=affine)


def nearest_axes(direction: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """A scan's own axes, permuted and flipped to lie as near to ``axes`` as they can.

    Both are 3 x 3 with unit columns; all 48 ways are tried.
    """
    best, chosen = -np.inf, direction
    for order in itertools.permutations(range(3)):
        cosines = (direction[:, order] * axes).sum(axis=0)
        if np.abs(cosines).sum() > best:
            best = np.abs(cosines).sum()
            chosen = direction[:, order] * np.where(cosines < 0, -1.0, 1.0)
    return chosen


def _share(
    label_map: LabelMap,
    value: int,
    target: Grid,
    matrix: np.ndarray | None,
    outside: float | None = None,
) -> np.ndarray:
    """How much of every target voxel one class fills; beyond the map all is background."""
    fill = float(value == 0) if outside is None else outside
    return resample(label_map.array == value, label_map.grid, target, matrix=matrix, fill=fill)


def _matrix(matrix: np.ndarray | None) -> np.ndarray:
    return np.eye(4) if matrix is None else np.asarray(matrix, dtype=np.float64)


def _sigmas(grid: Grid, target: Grid, matrix: np.ndarray | None) -> tuple[float, ...]:
    """Blur along the source's axes, in mm, by what the target's coarser voxels will average."""
    axes = _matrix(matrix)[:3, :3] @ grid.direction
    footprint = np.abs(axes.T @ (target.direction * np.array(target.spacing))).max(axis=1)
    sigmas = [0.0, 0.0, 0.0]
    for axis, (own, wanted) in enumerate(zip(grid.spacing, footprint, strict=True)):
        sigma = BLUR * np.sqrt(max(wanted**2 - own**2, 0.0))
        if sigma > 0.3 * own and grid.shape[axis] >= 4:  # the recursive filter needs 4 voxels
            sigmas[axis] = float(sigma)
    return tuple(sigmas)


def _resampled(
    image: sitk.Image, target: Grid, matrix: np.ndarray | None, how: int, fill: float
) -> sitk.Image:
    # SimpleITK maps points of the output to points of the input.
    back = LPS @ np.linalg.inv(_matrix(matrix)) @ LPS
    transform = sitk.AffineTransform(back[:3, :3].ravel().tolist(), back[:3, 3].tolist())
    affine = LPS @ target.affine
    return sitk.Resample(
        image,
        target.shape,
        transform,
        how,
        affine[:3, 3].tolist(),
        target.spacing,
        (affine[:3, :3] / np.array(target.spacing)).ravel().tolist(),
        float(fill),
        image.GetPixelID(),
    )
