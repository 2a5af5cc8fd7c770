"""The organs' borders in a view: lines in tenths of a millimetre, sharp at any size."""

from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cmcseg.core.labelmap import LabelMap
from cmcseg.report.slice_geometry import Lattice, View

_OUTLINE_UNITS = 10  # outlines are whole tenths of a millimetre


def outlines(label_map: LabelMap, view: View, points: Lattice) -> dict[int, str]:
    """The organs' borders in a view.

    Returns:
        Per label value that is visible, an SVG path in tenths of a millimetre from the view's
        upper left corner; holes are sub-paths, so fill it by the even-odd rule.
    """
    labels = points.near(label_map.array)
    paths = {}
    for label in label_map.table:
        organ = (labels == label.value) & points.inside
        if organ.any():
            paths[label.value] = _outline(organ, view, points)
    return {value: path for value, path in paths.items() if path}


def _outline(organ: np.ndarray, view: View, points: Lattice) -> str:
    """Where an organ fills half of a pixel, as an SVG path; empty when it nowhere does.

    Args:
        organ: ``(n, rows, columns)``, whether the voxels around each pixel belong to it.
        view: the window.
        points: its pixels.
    """
    rows, columns = (np.flatnonzero(organ.any(axis=(0, other))) for other in (2, 1))
    part = (..., slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    # One empty pixel around it closes an organ that reaches the window's edge along that edge.
    share = np.pad((organ[part] * points.weights[part]).sum(0), 1)
    if share.max() <= 0.5:
        return ""
    height, width = points.inside.shape
    x = (np.arange(share.shape[1]) + columns[0] - 0.5) * view.width / width
    y = (np.arange(share.shape[0]) + rows[0] - 0.5) * view.height / height
    border = _follower().contour(x, y, share, levels=[0.5])
    border.remove()
    (path,) = border.get_paths()
    return "".join(_sub_path(ring) for ring in path.to_polygons(closed_only=False))


@cache
def _follower() -> Axes:
    """Axes that follow borders and draw nothing; to make some takes as long as two borders."""
    return Figure().add_axes((0, 0, 1, 1))


def _sub_path(ring: np.ndarray) -> str:
    """One closed ring as ``M x y l dx dy ... z`` in whole tenths of a millimetre."""
    points = np.rint(ring * _OUTLINE_UNITS).astype(int)
    steps = np.diff(points, axis=0)
    steps = steps[steps.any(axis=1)]
    if len(steps) < 3:
        return ""
    # Steps that go on in the same direction are one step.
    groups = np.concatenate([[0], np.cumsum(_turns(steps))])
    merged = np.zeros((groups[-1] + 1, 2), dtype=int)
    np.add.at(merged, groups, steps)
    moves = "".join(
        f"{x:d}{y:+d}" if n == 0 else f"{x:+d}{y:+d}" for n, (x, y) in enumerate(merged)
    )
    return f"M{points[0, 0]} {points[0, 1]}l{moves}z"


def _turns(steps: np.ndarray) -> np.ndarray:
    """Whether each step after the first leaves the direction of the one before."""
    cross = steps[:-1, 0] * steps[1:, 1] - steps[:-1, 1] * steps[1:, 0]
    same_way = (steps[:-1] * steps[1:]).sum(1) > 0
    return ~((cross == 0) & same_way)
