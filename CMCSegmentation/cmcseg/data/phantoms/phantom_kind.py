"""What a kind of phantom has to say for itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cmcseg.core.grid import Grid
from cmcseg.data.phantoms.solids import Block, Rng
from cmcseg.data.phantoms.tissue_contrast import Look


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What a scanner does to a perfect image.

    Attributes:
        bias: deviation of the coils' unevenness.
        noise: its smallest and largest level, as a share of the brightest tissue.
        near_coil: whether a coil on the chest brightens the front.
    """

    bias: float
    noise: tuple[float, float]
    near_coil: bool = False


@dataclass(frozen=True, kw_only=True)
class PhantomKind:
    """A kind of phantom: who is scanned, where the scanners look, what they see.

    Body coordinates are mm to the right, to the front and upwards from ``middle``.

    Attributes:
        organs: names that a label table may ask for.
        contrasts: per role, in order, how bright every tissue is.
        faults: per role that is an MR; a CT has faults of its own.
        draw: chance for one person.
        middle: RAS world position of the origin of the body's coordinates.
        pivot: the middle of what the task looks at, in body coordinates, of a person.
        views: the files' grids by role, for a person, the middle and chance.
        space: the grid on which tissues are laid, for a person, the middle and the views.
        place_tissues: lays the tissues of a person on a grid.
    """

    organs: tuple[str, ...]
    contrasts: dict[str, Callable[[Rng], Look]]
    faults: dict[str, Faults]
    draw: Callable[[Rng], Any]
    middle: Callable[[Rng], np.ndarray]
    pivot: Callable[[Any], np.ndarray]
    views: Callable[[Any, np.ndarray, Rng], dict[str, Grid]]
    space: Callable[[Any, np.ndarray, dict[str, Grid]], Grid]
    place_tissues: Callable[[Any, Grid, np.ndarray, Rng], Block]

    @property
    def roles(self) -> tuple[str, ...]:
        """The two scans, first one first."""
        return tuple(self.contrasts)


def grid_around(center: np.ndarray, axes: np.ndarray, spacing: tuple, shape: tuple) -> Grid:
    """A grid by its middle; rounded, so that every machine writes the same header."""
    affine = np.eye(4)
    affine[:3, :3] = np.round(axes * np.array(spacing), 9)
    affine[:3, 3] = np.round(center - affine[:3, :3] @ ((np.array(shape) - 1) / 2), 6)
    return Grid(shape=shape, affine=affine)


def rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rodrigues' formula; angle in radians."""
    cross = np.cross(np.eye(3), axis / np.linalg.norm(axis))
    return np.eye(3) - np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
